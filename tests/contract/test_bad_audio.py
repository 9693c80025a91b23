"""Files that are no audio, or hostile: each costs its request a 400 and nothing else."""

import io
import random
import struct
import wave

import pytest

PHRASE = "The myna repeats what it hears."
FORMATS = "['flac', 'm4a', 'mp3', 'mp4', 'mpeg', 'mpga', 'oga', 'ogg', 'wav', 'webm']"


def wav(seconds=1.0, rate_hz=16_000):
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(bytes(int(seconds * rate_hz) * 2))
    return file.getvalue()


def odd_wav(kind=1, channels=1, rate=16_000, byte_rate=32_000, align=2, bits=16, size=1000):
    """A WAV whose header says whatever it is told."""
    shape = struct.pack("<HHIIHH", kind, channels, rate, byte_rate, align, bits)
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + shape + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", (size + 36) % 2**32) + chunks + bytes(1000)


def _crc(data, width, polynomial):
    value = 0
    for byte in data:
        value ^= byte << (width - 8)
        for _ in range(8):
            value = (value << 1) ^ (polynomial if value >> (width - 1) else 0)
            value &= (1 << width) - 1
    return value


def silent_flac(seconds, *, declared):
    """FLAC of silence at 8 kHz: 14 bytes for each 65,535 samples (RFC 9639, constant subframes)."""
    block, rate_hz = 65_535, 8000
    total = int(seconds * rate_hz) if declared else 0
    packed = (rate_hz << 44) | (15 << 36) | total  # 1 channel, 16 bits, total samples
    info = struct.pack(">HH6x", block, block) + packed.to_bytes(8, "big") + bytes(16)
    frames = []
    for number in range(int(seconds * rate_hz) // block):
        coded = chr(number).encode("utf-8", "surrogatepass")
        head = b"\xff\xf8\x74\x08" + coded + struct.pack(">H", block - 1)
        frame = head + bytes([_crc(head, 8, 0x07)]) + b"\x00\x00\x00"
        frames.append(frame + _crc(frame, 16, 0x8005).to_bytes(2, "big"))
    return b"fLaC\x80\x00\x00\x22" + info + b"".join(frames)


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
NOISE = random.Random(7).randbytes(60_000)

NO_AUDIO = [
    ("an empty file [17]", b""),
    ("one byte", b"R"),
    ("random bytes [18]", NOISE),
    ("random bytes behind a RIFF header", b"RIFF\xff\xff\xff\x7fWAVE" + NOISE),
    ("random bytes behind an Ogg header", b"OggS\x00\x02" + NOISE),
    ("random bytes behind a FLAC header", b"fLaC\x00\x00\x00\x22" + NOISE),
    ("random bytes behind a Matroska header", b"\x1aE\xdf\xa3" + NOISE),
    ("random bytes behind an MP4 header", b"\x00\x00\x00\x18ftypM4A " + NOISE),
    ("a PDF [19]", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n" * 50),
    ("a web page", b"<!DOCTYPE html><html><body>404</body></html>"),
    ("a text", b"Please transcribe this." * 100),
    ("NUL bytes", bytes(50_000)),
    ("a picture", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + NOISE[:500]),
    ("a playlist of local files", PLAYLIST),
    ("a list of files to join", b"ffconcat version 1.0\nfile '/etc/passwd'\n"),
    ("a WAV that ends behind its header", wav()[:44]),
    ("a WAV that ends inside its header", wav()[:30]),
    ("a WAV without channels", odd_wav(channels=0)),
    ("a WAV of 65,535 channels", odd_wav(channels=65_535)),
    ("a WAV at no rate", odd_wav(rate=0, byte_rate=0)),
    ("a WAV at one sample a second", odd_wav(rate=1, byte_rate=2)),
    ("a WAV of an unknown codec", odd_wav(kind=0xDEAD)),
]

NONSENSE = [
    ("a WAV at four billion samples a second", odd_wav(rate=0xFFFFFFFF)),
    ("a WAV whose samples have no size", odd_wav(align=0, bits=0)),
    ("a WAV whose samples have 65,535 bits", odd_wav(align=8192, bits=65_535)),
    ("a WAV that says it is 4 GiB long", odd_wav(size=0xFFFFFFFE)),
]

FILENAMES = [
    "speech.pdf",
    "speech",
    "",
    ".wav",
    "../../../../etc/passwd",
    "/etc/passwd.wav",
    "C:\\windows\\system32\\a.wav",
    "http://127.0.0.1:9/a.wav",
    "concat:a.wav|b.wav",
    "запись 10%.wav",
    "録音🦜.wav",
    "a\N{RIGHT-TO-LEFT OVERRIDE}vaw.exe",
    b"\xff\xfe\x80.wav",
    b"a\x00b.wav",
    "x" * 2000 + ".wav",
    "%00%2e%2e%2f.wav",
    "a;b=c.wav",
    "-i.wav",
]


@pytest.fixture(autouse=True)
def goes_on(fake_server, phrase):
    """After each of them the server transcribes as before."""
    yield
    assert fake_server.transcribe(phrase).json()["text"] == PHRASE


@pytest.mark.parametrize(("what", "audio"), NO_AUDIO, ids=[case[0] for case in NO_AUDIO])
def test_a_file_without_audio_is_refused(fake_server, what, audio):
    error = fake_server.transcribe(audio, filename="x.wav").refused()
    assert error["param"] in {"file", None}


@pytest.mark.parametrize("audio", [NOISE, b"%PDF-1.7\n"])  # [18, 19]
def test_the_refusal_lists_the_formats(fake_server, audio):
    message = fake_server.transcribe(audio).refused()["message"]
    assert message.startswith(f"Invalid file format. Supported formats: {FORMATS}")


@pytest.mark.parametrize(("what", "audio"), NONSENSE, ids=[case[0] for case in NONSENSE])
def test_a_header_of_nonsense_is_no_crash(fake_server, what, audio):
    reply = fake_server.transcribe(audio)
    assert reply.status in {200, 400}
    if reply.status == 400:
        reply.refused()


@pytest.mark.parametrize("seconds", [0.0001, 0.05, 0.099])  # [28]
def test_too_little_audio_is_refused_in_openais_words(fake_server, seconds):
    error = fake_server.transcribe(wav(seconds)).refused(code="audio_too_short", param="file")
    assert error["message"] == ("Audio file is too short. Minimum audio length is 0.1 seconds.")


def test_a_tenth_of_a_second_is_enough(fake_server):
    assert fake_server.transcribe(wav(0.1)).status == 200


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_a_truncated_file_gives_what_it_has_or_a_refusal(fake_server, phrase, share):
    reply = fake_server.transcribe(phrase[: int(len(phrase) * share)])
    assert reply.json()["text"].startswith("The")


@pytest.mark.models
@pytest.mark.parametrize("name", ["mp3", "m4a", "webm with opus", "ogg with opus", "flac"])
@pytest.mark.parametrize("share", [0.02, 0.6])
def test_a_truncated_container_is_no_crash(fake_server, contained, name, share):
    audio, filename = contained(name)
    reply = fake_server.transcribe(audio[: int(len(audio) * share)], filename=filename)
    assert reply.status in {200, 400}, reply.body
    if reply.status == 400:
        reply.refused()


@pytest.mark.models
@pytest.mark.parametrize("name", ["mp3", "m4a", "webm with opus", "ogg with opus", "flac"])
def test_a_damaged_container_is_no_crash(fake_server, contained, name):
    audio, filename = contained(name)
    dice = random.Random(11)
    for _ in range(3):
        damaged = bytearray(audio)
        for at in dice.sample(range(len(damaged)), 50):
            damaged[at] = dice.randrange(256)
        reply = fake_server.transcribe(bytes(damaged), filename=filename)
        assert reply.status in {200, 400}, reply.body


@pytest.mark.parametrize("filename", FILENAMES)
def test_the_name_of_a_file_is_only_a_name(fake_server, phrase, filename):
    reply = fake_server.transcribe(phrase, filename=filename)
    assert reply.json()["text"] == PHRASE


def test_days_of_silence_in_a_small_file_are_refused_by_what_it_says(fake_server):
    days = silent_flac(2 * 86_400, declared=True)
    assert len(days) < 400_000
    error = fake_server.transcribe(days, filename="a.flac").refused(
        code="invalid_value", param="file"
    )
    assert "172800" in error["message"].replace(",", "")


def test_days_of_silence_that_do_not_say_so_are_refused_when_they_come_out(small_server):
    days = silent_flac(86_400, declared=False)
    small_server.transcribe(days, filename="a.flac").refused(code="invalid_value", param="file")
    assert small_server.get("/health").status == 200


def test_silence_within_the_limit_is_taken(small_server):
    """So that the file of the two tests above is refused for its length alone."""
    for declared in (True, False):
        reply = small_server.transcribe(silent_flac(17, declared=declared), filename="a.flac")
        assert reply.json()["text"] == ""
