"""The parts of kokoro-onnx's tokenizer that Myna calls."""

class Tokenizer:
    vocab: dict[str, int]
    def __init__(self) -> None: ...
