"""Who speaks when: pyannote's segmentation, CAM++ voiceprints, and average linkage over them."""

from myna.engines.diarizer.engine import SpeakerDiarizer

__all__ = ["SpeakerDiarizer"]
