"""The tab that transcribes: files, the microphone, words that light up, subtitles to take away."""

import json
import math
import re
import urllib.request

import pytest
from playwright.sync_api import expect

MULTIPART = "multipart/form-data; boundary=page-5b1d"


def transcribed(page, file):
    page.set_input_files("#file", file)
    expect(page.locator("#downloads")).to_be_visible()
    return page


def from_server(url, file, response_format):
    """The server's own rendering of a file."""
    fields = {"model": "whisper-1", "response_format": response_format}
    head = "".join(
        f'--page-5b1d\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    part = '--page-5b1d\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    body = head.encode() + part.encode() + file.read_bytes() + b"\r\n--page-5b1d--\r\n"
    request = urllib.request.Request(
        f"{url}/v1/audio/transcriptions", body, {"content-type": MULTIPART}
    )
    with urllib.request.urlopen(request, timeout=240) as answer:
        return answer.read()


def downloaded(page, kind):
    with page.expect_download() as waiting:
        page.click(f"[data-download={kind}]")
    return waiting.value.suggested_filename, waiting.value.path().read_bytes()


def test_a_chosen_file_becomes_words_with_their_marks(page, speech_file, spoken):
    transcribed(page, speech_file)
    expect(page.locator("#result-name")).to_have_text(speech_file.name)
    expect(page.locator("#transcript p")).to_have_text(spoken)
    words = page.locator("#transcript .word").all_text_contents()
    assert words == spoken.split()
    expect(page.locator("#result-facts")).to_contain_text("English")


def test_text_is_shown_as_the_server_sends_it_before_the_words_are_timed(
    page, speech_file, spoken, until
):
    """The second answer is held back, so that what stands there came from the stream."""
    held = []
    page.route(
        "**/audio/transcriptions",
        lambda route: (
            held.append(route)
            if b"verbose_json" in route.request.post_data_buffer
            else route.continue_()
        ),
    )
    page.set_input_files("#file", speech_file)
    expect(page.locator("#transcript")).to_have_text(spoken)
    expect(page.locator("#transcript .word")).to_have_count(0)
    expect(page.locator("#downloads")).to_be_hidden()
    expect(page.locator("#transcribe-status")).to_contain_text("when each word is said")
    until(page, lambda: held)  # the page says that it asks before the browser has asked
    held[0].continue_()
    expect(page.locator("#transcript .word")).to_have_count(len(spoken.split()))


def test_words_light_up_one_after_the_other_while_it_plays(page, speech_file, spoken):
    transcribed(page, speech_file)
    page.evaluate(
        """() => {
          window.lit = [];
          new MutationObserver(() => {
            const now = document.querySelector(".word.now")?.textContent;
            if (now && now !== window.lit.at(-1)) window.lit.push(now);
          }).observe(document.querySelector("#transcript"), {
            subtree: true, attributes: true, attributeFilter: ["class"] });
        }"""
    )
    page.get_by_role("button", name="Play the recording").click()
    expect(page.get_by_role("button", name="Pause the recording")).to_be_visible()
    expect(page.locator(".word.said")).to_have_count(6)
    lit = page.evaluate("window.lit")
    # How many of them depends on how often the browser comes to draw.
    assert lit
    assert lit == [word for word in spoken.split() if word in lit], "not in the order of the text"


def test_each_word_is_lit_where_it_is_said(page, speech_file, spoken):
    transcribed(page, speech_file)
    for number, word in enumerate(spoken.split()):
        start = float(page.locator(".word").nth(number).get_attribute("data-start"))
        page.locator("#player input").evaluate(
            """(slider, at) => {
              slider.value = at;
              slider.dispatchEvent(new Event("input"));
            }""",
            math.ceil(start * 10 + 1e-6) / 10,
        )
        expect(page.locator(".word.now")).to_have_text(word)
        expect(page.locator(".word.said")).to_have_count(number + 1)


def test_a_word_that_is_chosen_is_where_it_goes_on(page, speech_file, until):
    transcribed(page, speech_file)
    start = float(page.locator(".word").nth(4).get_attribute("data-start"))
    page.locator(".word").nth(4).click()
    until(page, f"document.querySelector('#player input').value >= {start}")
    expect(page.locator(".word.said").first).to_have_text("The")


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_subtitles_are_byte_for_byte_those_of_the_server(page, url, speech_file, kind, spoken):
    transcribed(page, speech_file)
    name, content = downloaded(page, kind)
    assert name == f"it's a talk.{kind}"
    assert content == from_server(url, speech_file, kind)
    assert spoken.encode() in content


def test_text_and_json_can_be_taken_away(page, url, speech_file, spoken):
    transcribed(page, speech_file)
    assert downloaded(page, "txt")[1] == from_server(url, speech_file, "text")
    answer = json.loads(downloaded(page, "json")[1])
    assert answer["text"] == spoken
    assert [word["word"] for word in answer["words"]] == re.findall(r"\w+", spoken)


def test_what_the_microphone_hears_is_recorded_and_transcribed(page):
    page.click("#record")
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#record-meter")).to_be_visible()
    # What the microphone hears goes round in 5 s, so the phrase is in this wherever it begins.
    page.wait_for_timeout(7000)
    page.click("#record")
    expect(page.locator("#downloads")).to_be_visible()
    expect(page.locator("#result-name")).to_contain_text("recording.")
    heard = page.locator("#transcript").text_content()
    assert "myna repeats" in heard
    # The program beside it names this file, so the visitor must be able to have it.
    name, content = downloaded(page, "audio")
    assert f"file=@{name}" in page.locator("#code").text_content()
    assert len(content) > 1000
    # A browser's recording has no length in its header; the player knows it all the same.
    assert float(page.locator("#player input").get_attribute("max")) > 3


def test_a_recording_can_be_kept_whatever_becomes_of_its_transcription(page):
    page.route("**/audio/transcriptions", lambda _: None)  # never answered
    page.click("#record")
    expect(page.locator("#record-label")).to_contain_text("Stop 0:0")
    page.wait_for_timeout(1000)
    page.click("#record")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator("#transcribe-status")).to_have_text("Stopped.")
    expect(page.locator("#downloads")).to_be_hidden()
    name, content = downloaded(page, "audio")
    assert name.startswith("recording.")
    assert len(content) > 100


def test_a_visitors_own_file_is_played_as_it_is_whatever_its_name(page, speech_file, tmp_path):
    file = tmp_path / "recording.wav"
    file.write_bytes(speech_file.read_bytes())
    page.evaluate(
        """() => {
          window.played = [];
          const create = URL.createObjectURL;
          URL.createObjectURL = (blob) => {
            window.played.push(blob.name);
            return create(blob);
          };
        }"""
    )
    transcribed(page, file)
    expect(page.get_by_role("button", name="Play the recording")).to_be_enabled()
    assert page.evaluate("window.played") == [file.name]
    expect(page.locator("#download-audio")).to_be_hidden()


def test_a_sample_that_is_waited_for_is_given_up_for_a_file(page, speech_file, spoken):
    page.route("**/audio/speech", lambda _: None)  # never answered
    with page.expect_request("**/audio/speech"):
        page.click("#sample")
    with page.expect_event("requestfailed"):
        page.set_input_files("#file", speech_file)
    expect(page.locator("#transcript p")).to_have_text(spoken)
    expect(page.locator("#transcribe-error")).to_be_hidden()


def dropping(page, file):
    """What the browser hands over when a file is dropped."""
    return page.evaluate_handle(
        """async (bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "dropped.wav", {type: "audio/wav"}));
          return data;
        }""",
        list(file.read_bytes()),
    )


def test_a_file_can_be_dropped_anywhere(page, speech_file, spoken):
    data = dropping(page, speech_file)
    page.dispatch_event("footer", "drop", {"dataTransfer": data})
    expect(page.locator("#result-name")).to_have_text("dropped.wav")
    expect(page.locator("#transcript p")).to_have_text(spoken)


def test_a_file_that_is_dropped_while_another_tab_is_shown_is_transcribed_too(page, speech_file):
    page.click("#tab-live")
    data = dropping(page, speech_file)
    page.dispatch_event("footer", "drop", {"dataTransfer": data})
    expect(page.locator("#transcribe")).to_be_visible()
    expect(page.locator("#downloads")).to_be_visible()
    expect(page.locator("#download-audio")).to_be_hidden()


def test_a_transcription_can_be_stopped_and_done_again(page, speech_file, spoken):
    page.route("**/audio/transcriptions", lambda _: None)  # never answered
    page.set_input_files("#file", speech_file)
    stop = page.get_by_role("button", name="Stop", exact=True)
    stop.focus()
    with page.expect_event("requestfailed"):
        page.keyboard.press("Enter")
    expect(page.locator("#transcribe-status")).to_have_text("Stopped.")
    expect(page.locator("#transcribe-error")).to_be_hidden()
    page.unroute("**/audio/transcriptions")
    again = page.get_by_role("button", name="Transcribe again")
    expect(again).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#transcript p")).to_have_text(spoken)
    expect(again).to_be_focused()


def test_what_is_no_recording_is_said_in_the_servers_words(open_page, url, tmp_path):
    page = open_page(url, allowed=("400",))
    file = tmp_path / "notes.pdf"
    file.write_bytes(b"%PDF-1.7 nothing to hear")
    page.set_input_files("#file", file)
    expect(page.locator("#transcribe-error")).to_contain_text("Invalid file format")
    expect(page.locator("#downloads")).to_be_hidden()


def test_text_that_looks_like_markup_stays_text(page, speech_file):
    said = '<img src=x onerror="document.title=1"> & <b>bold</b>'
    answer = {
        "task": "transcribe", "language": "english", "duration": 1.0, "text": said,
        "segments": [{"start": 0, "end": 1, "text": said}], "words": [],
    }  # fmt: skip
    page.route(
        "**/audio/transcriptions",
        lambda route: (
            route.fulfill(json=answer)
            if b"verbose_json" in route.request.post_data_buffer
            else route.continue_()
        ),
    )
    transcribed(page, speech_file)
    expect(page.locator("#transcript p")).to_have_text(said)
    assert page.locator("#transcript img, #transcript b").count() == 0
    assert page.title() == "Myna playground"


def test_speakers_are_shown_by_name_and_go_into_the_subtitles(page, speech_file, spoken):
    segments = [
        {"type": "transcript.text.segment", "id": f"seg_00{number}", "start": start, "end": end,
         "text": text, "speaker": speaker}
        for number, (start, end, text, speaker) in enumerate(
            [(0.5, 1.2, "The myna repeats", "A"), (1.2, 2.4, "what it hears.", "Bea")], start=1)
    ]  # fmt: skip
    answer = {"task": "transcribe", "duration": 3.0, "text": spoken, "segments": segments}
    page.route(
        "**/audio/transcriptions",
        lambda route: (
            route.fulfill(json=answer)
            if b"diarized_json" in route.request.post_data_buffer
            else route.continue_()
        ),
    )
    page.check("#speakers")
    transcribed(page, speech_file)
    assert page.locator(".speaker").all_text_contents() == ["A", "Bea"]
    assert page.locator(".passage p").all_text_contents() == ["The myna repeats", "what it hears."]
    assert page.locator(".word").count() == 6
    assert b"Bea: what it hears." in downloaded(page, "vtt")[1]
    assert downloaded(page, "txt")[1] == b"A: The myna repeats\nBea: what it hears.\n"


def test_the_server_labels_the_speaker(page, speech_file, spoken):
    page.check("#speakers")
    transcribed(page, speech_file)
    assert page.locator(".speaker").all_text_contents() == ["A"]
    assert page.locator(".word").count() == len(spoken.split())


def test_where_the_server_labels_no_speakers_it_is_said_and_not_offered_again(
    open_page, launch, speech_file, spoken
):
    page = open_page(launch("--diarize", "none"), allowed=("501",))
    page.check("#speakers")
    transcribed(page, speech_file)
    expect(page.locator("#transcript p")).to_have_text(spoken)
    expect(page.locator("#transcribe-error")).to_contain_text("speaker")
    expect(page.locator("#speakers-option")).to_be_hidden()
