"""What comes out of files, good and bad."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from myna.api.spool import Spool
from myna.audio.decode import Decoder, PcmStream
from myna.errors import AudioTooLong, ClientGone, UnsupportedAudio

FORMATS = {
    "wav": ("wav", "pcm_s16le", 44_100),
    "wav_float": ("wav", "pcm_f32le", 48_000),
    "wav_mulaw_8k": ("wav", "pcm_mulaw", 8_000),
    "flac": ("flac", "flac", 16_000),
    "mp3": ("mp3", "libmp3lame", 44_100),
    "ogg_opus": ("ogg", "libopus", 48_000),
    "webm": ("webm", "libopus", 48_000),
    "m4a": ("ipod", "aac", 44_100),
    "aac": ("adts", "aac", 44_100),
    "aiff": ("aiff", "pcm_s16be", 22_050),
    "caf_alac": ("caf", "alac", 44_100),
    "mka_ac3": ("matroska", "ac3", 48_000),
    "mpegts": ("mpegts", "mp2", 44_100),
}

OUTCOMES = (UnsupportedAudio, AudioTooLong)


@contextmanager
def growing(folder: Path) -> Iterator[tuple[Callable[[bytes | None], None], int, int]]:
    """An empty upload: how to make it grow (None completes it), its descriptor, and the pipe that
    tells of it."""
    file = Spool(folder).file()
    growth = file.follow()

    def grow(data: bytes | None) -> None:
        if data is None:
            file.rewind()
        else:
            file.write(data)

    try:
        yield grow, file.fileno(), growth
    finally:
        os.close(growth)
        file.close()


def wav_bytes(
    *,
    kind: int = 1,
    channels: int = 1,
    rate: int = 16_000,
    align: int = 2,
    bits: int = 16,
    riff: int | None = None,
    length: int | None = None,
) -> bytes:
    data = (np.sin(np.arange(16_000) / 5) * 9_000).astype("<i2").tobytes()
    body = b"WAVEfmt " + struct.pack(
        "<IHHIIHH", 16, kind, channels, rate, rate * align & 0xFFFFFFFF, align, bits
    )
    body += b"data" + struct.pack("<I", len(data) if length is None else length) + data
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


@pytest.mark.parametrize("name", FORMATS)
def test_a_tone_comes_back_as_a_tone_of_the_same_length(
    name, decoder, tmp_path, tone, encode, is_tone, decode_file
):
    container, codec, rate_hz = FORMATS[name]
    path = tmp_path / "no_extension"
    encode(path, tone(2, rate_hz), container, codec, rate_hz)
    samples = decode_file(decoder, path)
    assert samples.dtype == np.float32
    assert abs(len(samples) / 16_000 - 2) < 0.1
    assert is_tone(samples)


def test_the_audio_of_a_film_is_decoded(decoder, tmp_path, tone, encode, is_tone, decode_file):
    path = tmp_path / "film.mp4"
    encode(path, tone(2, 44_100), "mp4", "aac", 44_100, video=True)
    samples = decode_file(decoder, path)
    assert abs(len(samples) / 16_000 - 2) < 0.1
    assert is_tone(samples)


def test_samples_at_16_khz_come_through_bit_for_bit(decoder, tmp_path, decode_file):
    path = tmp_path / "plain.wav"
    path.write_bytes(wav_bytes())
    expected = (np.sin(np.arange(16_000) / 5) * 9_000).astype(np.int16) / np.float32(32768)
    assert np.array_equal(decode_file(decoder, path), expected)


def test_reads_are_full_until_the_end_and_empty_after_it(decoder, wav_file, open_file):
    stream = open_file(decoder, wav_file)
    assert stream.declared_s is None
    lengths = [len(stream.read(20_000)) for _ in range(4)]
    assert lengths == [20_000, 12_000, 0, 0]
    assert stream.seconds_read == 2
    assert stream.declared_s == pytest.approx(2)


def test_a_wav_that_was_piped_and_does_not_know_its_length_is_decoded_whole(
    decoder, tmp_path, decode_file
):
    path = tmp_path / "piped.wav"
    path.write_bytes(wav_bytes(riff=0xFFFFFFFF, length=0xFFFFFFFF))
    assert len(decode_file(decoder, path)) == 16_000


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg_opus", "webm", "aac"])
def test_a_pipe_is_decoded_as_it_fills(name, decoder, tmp_path, tone, encode, is_tone):
    container, codec, rate_hz = FORMATS[name]
    path = tmp_path / "file"
    encode(path, tone(2, rate_hz), container, codec, rate_hz)
    source, sink = os.pipe()
    stream = decoder.open(source)
    os.close(source)

    def feed() -> None:
        with os.fdopen(sink, "wb") as output:
            output.write(path.read_bytes())

    with stream:
        feeder = threading.Thread(target=feed)
        feeder.start()
        samples = stream.read(160_000)
        feeder.join()
    assert abs(len(samples) / 16_000 - 2) < 0.1
    assert is_tone(samples)


def test_the_descriptors_offset_is_neither_used_nor_moved(decoder, wav_file):
    fd = os.open(wav_file, os.O_RDONLY)
    os.lseek(fd, 1_000, os.SEEK_SET)
    with decoder.open(fd) as first, decoder.open(fd) as second:
        assert len(first.read(100_000)) == len(second.read(100_000)) == 32_000
    assert os.lseek(fd, 0, os.SEEK_CUR) == 1_000
    os.close(fd)


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg_opus", "webm", "aac"])
def test_a_file_that_breaks_off_gives_what_it_has(
    name, decoder, tmp_path, tone, encode, is_tone, decode_file
):
    container, codec, rate_hz = FORMATS[name]
    path = tmp_path / "file"
    encode(path, tone(4, rate_hz), container, codec, rate_hz)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 4])
    samples = decode_file(decoder, path)
    assert 2 < len(samples) / 16_000 < 4
    assert is_tone(samples)


def test_damage_in_the_middle_costs_no_more_than_the_damaged_part(
    decoder, tmp_path, tone, encode, decode_file
):
    path = tmp_path / "file.mp3"
    encode(path, tone(10, 44_100), "mp3", "libmp3lame", 44_100)
    damaged = bytearray(path.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 3_000] = np.random.default_rng(0).bytes(3_000)
    path.write_bytes(damaged)
    assert 9 < len(decode_file(decoder, path)) / 16_000 < 11


def test_a_stream_that_changes_its_rate_and_channels_on_the_way_goes_on(
    decoder, tmp_path, tone, encode, is_tone, decode_file
):
    first, second = tmp_path / "1.mp3", tmp_path / "2.mp3"
    encode(first, tone(2, 44_100), "mp3", "libmp3lame", 44_100)
    encode(second, tone(2, 24_000), "mp3", "libmp3lame", 24_000)
    both = tmp_path / "both.mp3"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    samples = decode_file(decoder, both)
    assert abs(len(samples) / 16_000 - 4) < 0.3
    assert is_tone(samples[:30_000])
    assert is_tone(samples[-30_000:])


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_grows_while_it_is_read_comes_out_as_the_complete_one(
    name, decoder, tmp_path, tone, encode, decode_file
):
    container, codec, rate_hz = FORMATS[name]
    path = tmp_path / "complete"
    encode(path, tone(5, rate_hz), container, codec, rate_hz)
    data = path.read_bytes()
    with growing(tmp_path) as (grow, fd, growth), decoder.open(fd, growth) as stream:
        step = len(data) // 7
        for at in range(0, len(data), step):
            grow(data[at : at + step])
        grow(None)
        found = list(iter(lambda: stream.read(10_000).tolist(), []))
    assert list(chain.from_iterable(found)) == decode_file(decoder, path).tolist()


@pytest.mark.parametrize("name", ["wav", "flac", "ogg_opus", "webm", "aac"])
def test_audio_comes_out_of_a_file_before_the_file_is_complete(
    name, decoder, tmp_path, tone, encode
):
    path = tmp_path / "complete"
    container, codec, rate_hz = FORMATS[name]
    encode(path, tone(60, rate_hz), container, codec, rate_hz)
    data = path.read_bytes()
    with growing(tmp_path) as (grow, fd, growth), decoder.open(fd, growth) as stream:
        grow(data[: len(data) // 2])
        assert len(stream.read(10 * 16_000)) == 10 * 16_000
        grow(data[len(data) // 2 :])
        grow(None)
        assert abs(len(stream.read(60 * 16_000)) - 50 * 16_000) < 1_000


def test_a_file_that_stops_growing_is_given_up_with_its_stream(decoder, tmp_path):
    with growing(tmp_path) as (grow, fd, growth), decoder.open(fd, growth) as stream:
        grow(b"RIFF")
        closing = threading.Timer(0.2, stream.close)
        closing.start()
        with pytest.raises(ClientGone):
            stream.read(16_000)
        closing.join()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"Hello, this is a letter and no recording.\n" * 50,
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n" * 40,
        b"\x89PNG\r\n\x1a\n" + bytes(2_000),
        b"GIF89a" + bytes(2_000),
        b"PK\x03\x04" + bytes(2_000),
        b"1\n00:00:00,000 --> 00:00:01,000\nhello\n\n" * 20,
    ],
    ids=["empty", "one byte", "text", "pdf", "png", "gif", "zip", "srt"],
)
def test_what_is_no_audio_is_refused(content, decoder, tmp_path, decode_file):
    path = tmp_path / "upload.wav"
    path.write_bytes(content)
    with pytest.raises(UnsupportedAudio):
        decode_file(decoder, path)


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes_are_refused(seed, decoder, tmp_path, decode_file):
    path = tmp_path / "random.mp3"
    path.write_bytes(np.random.default_rng(seed).bytes(20_000 * (seed + 1)))
    with pytest.raises(UnsupportedAudio):
        decode_file(decoder, path)


def test_a_film_without_sound_is_refused(decoder, tmp_path, decode_file):
    import av

    path = tmp_path / "silent.mp4"
    with av.open(path, "w") as output:
        picture = output.add_stream("mpeg4", rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        output.mux(picture.encode(frame))
        output.mux(picture.encode(None))
    with pytest.raises(UnsupportedAudio, match="no audio in the file"):
        decode_file(decoder, path)


def test_a_header_without_samples_is_refused(decoder, tmp_path, decode_file):
    path = tmp_path / "header.wav"
    path.write_bytes(wav_bytes()[:44])
    with pytest.raises(UnsupportedAudio, match="no audio in the file"):
        decode_file(decoder, path)


@pytest.mark.parametrize(
    ("container", "codec", "reason"),
    [
        ("voc", "pcm_u8", "not a media file that is known here"),
        ("wav", "adpcm_yamaha", "codec is not supported"),
    ],
)
def test_ffmpegs_rarer_demuxers_and_decoders_stay_shut(
    container, codec, reason, decoder, tmp_path, tone, encode, decode_file
):
    path = tmp_path / "file"
    encode(path, tone(2), container, codec, 16_000)
    with pytest.raises(UnsupportedAudio, match=reason):
        decode_file(decoder, path)


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile '{url}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    "<Period><AdaptationSet mimeType='audio/mp4'><BaseURL>{url}</BaseURL></AdaptationSet></Period>"
    "</MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns={url}\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    "redirect": "[Reference]\nRef1={url}\n",
}


@pytest.mark.parametrize("playlist", PLAYLISTS)
def test_a_playlist_is_refused_and_nothing_it_names_is_fetched(
    playlist, decoder, tmp_path, wav_file, decode_file
):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        for url in (wav_file.as_uri(), str(wav_file), f"http://127.0.0.1:{port}/x.wav"):
            path = tmp_path / "upload.wav"
            path.write_text(PLAYLISTS[playlist].format(url=url))
            with pytest.raises(UnsupportedAudio):
                decode_file(decoder, path)
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    "header",
    [
        {"channels": 0},
        {"channels": 0, "align": 0},
        {"channels": 65_535},
        {"rate": 0},
        {"rate": 1},
        {"rate": 0xFFFFFFFF},
        {"align": 0},
        {"align": 65_535},
        {"bits": 0},
        {"bits": 65_535},
        {"kind": 0},
        {"kind": 0x55},
        {"kind": 0x161},
        {"kind": 0xFFFE},
        {"riff": 0, "length": 0},
        {"riff": 0xFFFFFFFF, "length": 0xFFFFFFFE},
        {"channels": 0, "rate": 0, "align": 65_535, "bits": 0, "length": 0xFFFFFFFF},
    ],
    ids=str,
)
def test_a_nonsense_header_spoils_nothing_for_the_next_file(
    header, decoder, tmp_path, wav_file, decode_file
):
    path = tmp_path / "upload.wav"
    path.write_bytes(wav_bytes(**header))
    try:
        samples = decode_file(decoder, path)
    except OUTCOMES:
        samples = np.zeros(0, np.float32)
    assert np.all(np.abs(samples) <= 1)
    assert len(decode_file(decoder, wav_file)) == 32_000


@pytest.mark.parametrize("name", ["flac", "mp3", "ogg_opus", "webm", "m4a"])
def test_flipped_bytes_end_in_audio_or_a_refusal(
    name, decoder, tmp_path, tone, encode, decode_file
):
    container, codec, rate_hz = FORMATS[name]
    path = tmp_path / "file"
    encode(path, tone(1, rate_hz), container, codec, rate_hz)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(10):
        mutated = np.frombuffer(whole, np.uint8).copy()
        places = random.integers(0, min(len(mutated), 2_000), 8)
        mutated[places] = random.integers(0, 256, 8)
        path.write_bytes(mutated.tobytes())
        try:
            samples = decode_file(decoder, path)
        except OUTCOMES:
            continue
        assert np.all(np.abs(samples) <= 1)


def drain(stream: PcmStream) -> None:
    while len(stream.read(16_000)):
        pass


def without_declared_length(flac: Path) -> None:
    """Zero the 36 bits of STREAMINFO that hold the number of samples (RFC 9639, 8.2)."""
    data = bytearray(flac.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    flac.write_bytes(data)


def test_a_declared_length_beyond_the_limit_is_refused_before_any_audio(
    make_decoder, silent_flac, open_file
):
    stream: PcmStream = open_file(make_decoder(max_audio_s=60), silent_flac)
    with pytest.raises(AudioTooLong, match="300 seconds"):
        stream.read(1)


def test_audio_that_hides_its_length_stops_at_the_limit(
    make_decoder: Callable[..., Decoder], silent_flac, open_file
):
    without_declared_length(silent_flac)
    stream: PcmStream = open_file(make_decoder(max_audio_s=60), silent_flac)
    with pytest.raises(AudioTooLong):
        drain(stream)
    assert 50 < stream.seconds_read <= 60


def test_audio_of_exactly_the_limit_is_taken(make_decoder, silent_flac, decode_file):
    assert len(decode_file(make_decoder(max_audio_s=300), silent_flac, 480_000)) == 300 * 16_000


def test_a_liar_that_declares_too_little_is_decoded_to_its_end(
    decoder, tmp_path, tone, encode, decode_file
):
    path = tmp_path / "file.flac"
    encode(path, tone(4), "flac", "flac", 16_000)
    data = bytearray(path.read_bytes())
    data[22:26] = struct.pack(">I", 16_000)
    path.write_bytes(data)
    assert len(decode_file(decoder, path)) == 64_000
