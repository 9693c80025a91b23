"""The page with real models: a sample is spoken by Piper and written down by Whisper."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.models


def test_a_sample_is_spoken_heard_and_lit_up_word_by_word(open_page, launch, steady_weights):
    url = launch(
        *("--stt", "whisper-base", "--tts", "piper-en_US-joe-medium"),
        *("--weights-dir", str(steady_weights)),
    )
    page = open_page(url, slowly=True)
    page.click("#sample")
    expect(page.locator("#downloads")).to_be_visible()
    expect(page.locator("#transcript")).to_contain_text("postman whistled")
    text = page.locator("#transcript p").all_text_contents()
    words = page.locator("#transcript .word").all_text_contents()
    assert words == " ".join(text).split(), "each word of the text is one that lights up"
    page.get_by_role("button", name="Play the recording").click()
    expect(page.locator(".word.said").nth(1)).to_be_visible()
    expect(page.locator(".word.now")).to_have_count(1)
