"""What an engine is: the whole of what scheduling and the edge know of models.

A `Transcriber` turns windows of audio into segments, a `Synthesizer` turns pieces of text into
audio, a `Diarizer` turns windows of audio into who speaks when. All are called from worker threads,
several at a time, and never from the event loop. They raise `myna.errors` and nothing of HTTP.
"""
