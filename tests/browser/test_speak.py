"""The tab that speaks: sound at once, takes to compare, files to take away."""

import pytest
from playwright.sync_api import expect


def open_speak(page):
    page.click("#tab-speak")
    expect(page.locator("#voice option").first).to_have_text("Alloy · en-US")
    return page


@pytest.fixture
def speaking(page):
    return open_speak(page)


def done(page, count=1):
    expect(page.locator(".take .actions:visible")).to_have_count(count)


def test_sound_starts_before_the_server_has_made_all_of_it(speaking, until):
    """Watched where it is played: at the first buffer, the answer is still coming."""
    speaking.evaluate(
        """() => {
          window.at = {};
          const start = AudioBufferSourceNode.prototype.start;
          AudioBufferSourceNode.prototype.start = function (...when) {
            window.at.first ??= window.at.read;
            return start.apply(this, when);
          };
          const read = ReadableStreamDefaultReader.prototype.read;
          ReadableStreamDefaultReader.prototype.read = async function () {
            const result = await read.call(this);
            window.at.read = (window.at.read ?? 0) + 1;
            if (result.done) window.at.last = window.at.read;
            return result;
          };
        }"""
    )
    speaking.fill("#text", "A long story about a bird. " * 12)
    speaking.click("#say")
    until(speaking, "window.at.last > 1")
    at = speaking.evaluate("window.at")
    assert at["first"] == 1
    speaking.click("#hush")
    done(speaking)


def test_a_take_says_what_it_took_and_can_be_played_again(slow_page):
    speaking = open_speak(slow_page)
    speaking.fill("#text", "Hello there.")
    speaking.click("#say")
    done(speaking)
    expect(speaking.locator(".take .facts")).to_contain_text("first sound after")
    speaking.get_by_role("button", name="Play take of alloy").click()
    expect(speaking.get_by_role("button", name="Pause take of alloy")).to_be_visible()


def test_voices_are_compared_one_after_the_other(speaking):
    speaking.fill("#text", "Hi.")
    speaking.click("summary")
    expect(speaking.locator("#compare")).to_be_disabled()
    speaking.check("#voices input[value=nova]")
    speaking.check("#voices input[value=echo]")
    expect(speaking.locator("#compare")).to_have_text("Hear these 2 voices")
    speaking.click("#compare")
    done(speaking, 2)
    assert sorted(speaking.locator(".take h3").all_text_contents()) == ["echo", "nova"]


@pytest.mark.parametrize(
    ("kind", "magic"), [("wav", b"RIFF"), ("flac", b"fLaC"), ("opus", b"OggS")]
)
def test_a_take_can_be_downloaded_in_the_chosen_format(speaking, kind, magic):
    speaking.fill("#text", "Hi.")
    speaking.select_option("#format", kind)
    speaking.click("#say")
    done(speaking)
    with speaking.expect_download() as waiting:
        speaking.click(f"text=Download .{kind}")
    assert waiting.value.suggested_filename == f"alloy.{kind}"
    assert waiting.value.path().read_bytes().startswith(magic)


def test_a_take_goes_round_to_text_again(speaking):
    speaking.fill("#text", "What goes in comes out.")
    speaking.click("#say")
    done(speaking)
    speaking.click("text=Transcribe it")
    expect(speaking.locator("#transcript p")).to_have_text("What goes in comes out.")
    expect(speaking.locator("#transcribe")).to_be_visible()


def test_stop_is_silent_at_once_and_keeps_what_was_heard(speaking):
    speaking.fill("#text", "A long story about a bird. " * 20)
    speaking.click("#say")
    expect(speaking.locator(".take .facts")).to_contain_text("made in")
    play = speaking.get_by_role("button", name="Play take of alloy")
    expect(play).to_be_disabled()  # as it can be heard already
    speaking.click("#hush")
    done(speaking)
    expect(play).to_be_enabled()
    expect(speaking.locator("#hush")).to_be_hidden()
    expect(speaking.locator("#speak-error")).to_be_hidden()


def test_what_the_server_refuses_is_said(open_page, url):
    page = open_page(url, allowed=("400",))
    page.click("#tab-speak")
    page.fill("#text", "\x07")
    page.click("#say")
    expect(page.locator("#speak-error")).to_contain_text("nothing to say")
    expect(page.locator(".take")).to_have_count(0)
