"""The page as a whole: reachable by keyboard alone, sound to assistive technology, and keys."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
PHONE = {"width": 320, "height": 640}
DESK = {"width": 1280, "height": 900}


def faults(page):
    found = Axe().run(page, options=RULES).response["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_wrong(open_page, url, speech_file, scheme, size):
    page = open_page(url, slowly=True, color_scheme=scheme, viewport=size)
    assert faults(page) == []
    page.set_input_files("#file", speech_file)
    expect(page.locator("#downloads")).to_be_visible()
    page.get_by_role("button", name="Play the recording").click()
    expect(page.locator(".word.now")).to_have_count(1)
    assert faults(page) == []
    page.click("#tab-speak")
    page.fill("#text", "Hi.")
    page.click("#say")
    expect(page.locator(".take .actions:visible")).to_have_count(1)
    page.click("summary")
    assert faults(page) == []
    page.click("#tab-live")
    assert faults(page) == []


def test_nothing_is_wider_than_a_small_phone(open_page, url, speech_file):
    page = open_page(url, viewport=PHONE)
    page.set_input_files("#file", speech_file)
    expect(page.locator("#downloads")).to_be_visible()
    for tab in ("transcribe", "speak", "live"):
        page.click(f"#tab-{tab}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], tab


def tabbed(page, most=40):
    """What Tab stops at, from the top of the page, by id, class or text."""
    page.evaluate("document.activeElement.blur()")
    stops = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """(() => {
              const at = document.activeElement;
              return at === document.body ? "" : at.id || at.className || at.textContent;
            })()"""
        )
        if not stop or stop in stops:
            break
        stops.append(stop)
    return stops


def test_tab_goes_through_the_page_in_the_order_that_it_is_read(page):
    assert tabbed(page) == [
        "skip", "tab-transcribe", "record", "file", "sample", "stt-model", "language", "translate",
        "speakers", "copy", "code-curl", "code", "openapi",
    ]  # fmt: skip


def test_every_stop_shows_that_it_has_the_focus(page):
    for _ in tabbed(page):
        pass
    page.evaluate("document.activeElement.blur()")
    for _ in range(12):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            """(() => {
              let at = document.activeElement;
              if (at.id === "file") at = document.querySelector("label[for=file]");
              return getComputedStyle(at).outlineStyle;
            })()"""
        )
        assert seen != "none", page.evaluate("document.activeElement.outerHTML")


def test_a_text_is_spoken_and_transcribed_by_keyboard_alone(slow_page):
    page = slow_page
    page.keyboard.press("Tab")  # the skip link
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-speak")).to_be_focused()
    expect(page.locator("#speak")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("By keys.")
    page.keyboard.press("Control+Enter")
    transcribe = page.get_by_role("button", name="Transcribe it")
    transcribe.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#transcript p")).to_have_text("By keys.")
    expect(page.locator("#tab-transcribe")).to_be_focused()
    page.get_by_role("slider", name="Position in the recording").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".word.said")).to_have_count(2)
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".word.said")).to_have_count(0)
    page.get_by_role("button", name="Play from 0:00").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".word.now")).to_have_count(1)


def test_tabs_of_the_page_fit_in_a_line_of_a_small_phone(open_page, url):
    page = open_page(url, viewport=PHONE)
    places = [page.locator(f"#tab-{tab}").bounding_box() for tab in ("transcribe", "speak", "live")]
    assert len({place["y"] for place in places}) == 1


@pytest.mark.parametrize(
    ("pressed", "shown"), [("ArrowLeft", "live"), ("End", "live"), ("ArrowRight", "speak")]
)
def test_arrows_go_round_the_tabs(page, pressed, shown):
    page.focus("#tab-transcribe")
    page.keyboard.press(pressed)
    expect(page.locator(f"#tab-{shown}")).to_have_attribute("aria-selected", "true")
    expect(page.locator(f"#{shown}")).to_be_visible()
    expect(page.locator("#transcribe")).to_be_hidden()


def test_what_happens_is_announced(page, speech_file):
    """The text while it comes, and not once more when its words are timed."""
    page.evaluate(
        """() => {
          window.live = [];
          const transcript = document.querySelector("#transcript");
          new MutationObserver(() => window.live.push(transcript.getAttribute("aria-live")))
            .observe(transcript, { childList: true });
        }"""
    )
    page.set_input_files("#file", speech_file)
    expect(page.get_by_role("status").filter(has_text="Done.")).to_be_visible()
    live = page.evaluate("window.live")
    assert live[0] == "polite"
    assert live[-1] == "off"
    assert page.locator("#captions").get_attribute("role") == "log"


def test_a_tab_has_an_address(open_page, url):
    page = open_page(url)
    page.click("#tab-speak")
    assert page.url.endswith("/#/speak")
    page.reload()
    expect(page.locator("#speak")).to_be_visible()


def test_a_server_with_keys_asks_for_one_and_takes_it(open_page, keyed_url, speech_file):
    page = open_page(keyed_url, ready=False, allowed=("401",))
    expect(page.locator("#key-field")).to_be_focused()
    page.keyboard.type("sk-wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key-hint")).to_contain_text("Incorrect API key")
    page.fill("#key-field", "sk-playground-0123456789")
    page.keyboard.press("Enter")
    expect(page.locator("#server")).to_have_attribute("data-state", "ready")
    page.set_input_files("#file", speech_file)
    expect(page.locator("#downloads")).to_be_visible()
    page.reload()
    expect(page.locator("#server")).to_have_attribute("data-state", "ready")
    page.click("#tab-live")
    page.click("#listen")
    expect(page.locator("#captions")).to_contain_text("hears.")
    stored = page.evaluate("[JSON.stringify(localStorage), document.cookie]")
    assert stored == ["{}", ""]


def test_a_key_is_kept_in_its_tab_alone_and_never_shown(open_page, keyed_url):
    page = open_page(keyed_url, ready=False, allowed=("401",))
    page.fill("#key-field", "sk-playground-0123456789")
    page.keyboard.press("Enter")
    expect(page.locator("#server")).to_have_attribute("data-state", "ready")
    for language in ("curl", "Python", "Node"):
        page.click(f"#code-{language}")
        expect(page.locator("#code")).to_contain_text("MYNA_API_KEY")
        expect(page.locator("#code")).not_to_contain_text("sk-playground")
    other = page.context.new_page()
    other.goto(f"{keyed_url}/")
    expect(other.locator("#key")).to_be_visible()


def test_a_server_without_keys_asks_for_none(page):
    expect(page.locator("#key")).to_be_hidden()
    assert page.evaluate("sessionStorage.length") == 0
