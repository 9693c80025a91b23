"""Whisper's decoder: the text of a batch of windows, one try at a time."""

from __future__ import annotations

from collections.abc import Sequence

import ctranslate2
from ctranslate2.models import WhisperGenerationResult

from myna.engines.contract.transcriber import WindowJob
from myna.engines.whisper.copies import BatchCopies
from myna.engines.whisper.fallback import Attempt, Step
from myna.engines.whisper.vocabulary import Vocabulary
from myna.engines.whisper.windowing import FULL_FRAMES, token_budget
from myna.engines.whisper.work import Work

_MAX_LENGTH = 448
"""Whisper's text context, in tokens."""
_BEST_OF = 5
"""Samples drawn where the temperature is above zero, as openai/whisper does."""
_FIRST_TIMESTAMP_WITHIN = 50
"""The first timestamp lies in the first second, in steps of 20 ms (openai/whisper's default)."""
_STEPS_BEFORE = 2
"""What the prompt, and keys and values of the audio, take in steps of the decoder, about."""


class Decoder:
    """Of one model. Any number of threads may use it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Prompts and texts are in the tokens of `vocabulary`."""
        self._vocabulary = vocabulary

    def decode(
        self,
        jobs: Sequence[WindowJob],
        works: Sequence[Work],
        encoded: ctranslate2.StorageView,
        copies: BatchCopies,
    ) -> list[Attempt]:
        """One try at each window, all of which are at the same step and as long as each other.
        `encoded` is what they sound like, shape (n_windows, frames / 2, d_model).

        Raises RuntimeError where CTranslate2 cannot.
        """
        step, options = works[0].step, jobs[0].options
        prompts = [
            self._vocabulary.prompt(
                work.context, work.language or "en", job.options.task, timestamps=step.timestamps
            )
            for job, work in zip(jobs, works, strict=True)
        ]
        # Each window is judged by its own, so that it does not matter who shares the batch.
        budgets = [_budget(job.window.seconds, len(prompts[0])) for job in jobs]
        budget = max(budgets)
        sampled = step.temperature > 0
        rows = len(jobs) * (_BEST_OF if sampled else options.beam_size)
        with copies.decoder(rows) as decoding:
            results = decoding.model.generate(
                encoded,
                prompts,
                max_length=max(2 * budget, len(prompts[0]) + budget),
                return_scores=True,
                return_no_speech_prob=True,
                suppress_tokens=self._vocabulary.suppressed,
                max_initial_timestamp_index=_FIRST_TIMESTAMP_WITHIN,
                beam_size=1 if sampled else options.beam_size,
                num_hypotheses=_BEST_OF if sampled else 1,
                sampling_topk=0 if sampled else 1,
                sampling_temperature=step.temperature if sampled else 1,
            )
            longest = max(len(result.sequences_ids[0]) for result in results)
            decoding.steps = longest + _STEPS_BEFORE
        full = 2 * encoded.shape[1] == FULL_FRAMES
        return [
            self._attempt(result, step, own, full_length=full)
            for result, own in zip(results, budgets, strict=True)
        ]

    def _attempt(
        self, result: WhisperGenerationResult, step: Step, budget: int, *, full_length: bool
    ) -> Attempt:
        tokens = tuple(result.sequences_ids[0])
        # CTranslate2's score is the mean over the tokens; Whisper's counts the end token too.
        avg_logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return Attempt(
            tokens=tokens,
            text=self._vocabulary.text(tokens),
            temperature=step.temperature,
            avg_logprob=avg_logprob,
            no_speech_prob=result.no_speech_prob,
            cut_off=len(tokens) >= budget,
            full_length=full_length,
            timestamps=step.timestamps,
        )


def _budget(seconds: float, prompt_length: int) -> int:
    """How many tokens may be written: by duration, and at most half of Whisper's text context."""
    by_duration = token_budget(seconds)
    return min(by_duration, _MAX_LENGTH // 2, _MAX_LENGTH - prompt_length)
