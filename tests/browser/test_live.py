"""The tab with live captions: a microphone, the server's WebSocket, and words that come."""

import re

from playwright.sync_api import expect


def listen(page):
    page.click("#tab-live")
    page.click("#listen")
    expect(page.locator("#listen")).to_have_attribute("aria-pressed", "true")


def stop(page):
    page.click("#listen")
    expect(page.locator("#live-status")).to_have_text("Stopped.")


def test_what_the_microphone_hears_is_written_while_it_speaks(page):
    sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(str(data))))
    listen(page)
    # Of the first round its beginning may have been missed.
    expect(page.locator("#captions")).to_contain_text("myna repeats what it hears.")
    stop(page)
    expect(page.locator("#live-error")).to_be_hidden()
    expect(page.locator("#captions .coming")).to_have_count(0)
    assert "session.update" in sent[0]
    assert any("input_audio_buffer.append" in frame for frame in sent)


def test_captions_can_be_kept_and_cleared(page):
    listen(page)
    expect(page.locator("#captions")).to_contain_text("hears.")
    stop(page)
    with page.expect_download() as waiting:
        page.click("#captions-save")
    lines = waiting.value.path().read_text("utf-8").splitlines()
    assert any("hears." in line for line in lines)
    page.click("#captions-clear")
    expect(page.locator("#captions-card")).to_be_hidden()


def test_the_language_that_is_chosen_is_told_to_the_server(page):
    sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(str(data))))
    page.click("#tab-live")
    page.select_option("#live-language", "de")
    listen(page)
    expect(page.locator("#live-status")).to_have_text("Listening.")
    page.wait_for_timeout(500)
    stop(page)
    assert re.search(r'"language":\s*"de"', sent[0])


def test_a_server_without_a_session_to_give_is_said(open_page, url):
    page = open_page(url, allowed=("WebSocket",))
    page.route_web_socket(
        re.compile("/v1/realtime"), lambda socket: socket.close(code=1011, reason="full")
    )
    page.click("#tab-live")
    page.click("#listen")
    expect(page.locator("#live-error")).to_contain_text("full")
    expect(page.locator("#listen")).to_have_attribute("aria-pressed", "false")
