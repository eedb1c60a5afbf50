"""The live view in a browser: asking, tapping, what is shown, and a camera that goes and comes."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import colour_pack
from playwright.sync_api import Browser, Page, expect, sync_playwright
from test_live_loop import a_clip, until
from web_lab import viewed

from pixsearch.apps.trials.rtsp import RtspServer, write_h264
from pixsearch.edge.assistant import Assistant, open_assistant
from pixsearch.edge.live import AnswerStarted
from pixsearch.edge.voice.events import StateChanged, VoiceState

pytestmark = pytest.mark.loopback
WAIT_MS = 20_000
BROWSER_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
                 "--disable-sync", "--no-first-run"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "apt install chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page()
    opened.set_default_timeout(WAIT_MS)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda line: errors.append(line.text) if "Security Policy" in line.text else None)
    yield opened
    opened.close()
    assert errors == []


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_clip(tmp_path_factory.mktemp("web") / "box.avi", frames=40, step=3)


def test_a_typed_question_is_answered_with_mask_hits_and_source(red_assistant: Assistant, clip: Path, page: Page
                                                                ) -> None:
    with viewed(red_assistant, str(clip)) as (_, _, view):
        page.goto(view.url)
        expect(page.locator("#state")).to_have_attribute("data-state", "streaming", timeout=WAIT_MS)
        expect(page.locator("#talk")).to_be_hidden()  # there is no voice
        page.get_by_label("Question").fill("What is this?")
        page.keyboard.press("Enter")
        card = page.locator("#answers li").first
        expect(card.locator(".answer")).to_contain_text("owl", timeout=WAIT_MS)
        expect(card.locator(".entity").first).to_have_text("owl")
        expect(card.locator(".source").first).to_have_text("guide")
        expect(card.locator(".legend")).to_contain_text("language")
        expect(card.locator("code")).to_contain_text("<search>")
        for image in (card.locator(".overlay"), card.locator(".hit img").first):
            assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        expect(page.locator("#frame[data-masked=true]")).to_be_visible(timeout=WAIT_MS)
        expect(page.locator("#label")).to_have_text("owl")
        assert is_tinted(page)
        page.get_by_role("button", name="Let go").click()
        expect(page.locator("#frame[data-masked=false]")).to_be_visible(timeout=WAIT_MS)


def is_tinted(page: Page) -> bool:
    """Whether the picture shows the colour of a mask's outline."""
    return page.evaluate("""() => {
        const canvas = document.getElementById("frame");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const tinted = (i) => data[i + 1] > data[i] + 90 && data[i + 2] > data[i] + 70;
        return [...Array(data.length / 4).keys()].some((pixel) => tinted(4 * pixel));
    }""")


def test_a_tap_asks_about_what_is_there(red_assistant: Assistant, tmp_path: Path, page: Page) -> None:
    with viewed(red_assistant, str(a_clip(tmp_path / "still.avi", step=0))) as (loop, _, view):
        page.goto(view.url)
        expect(page.locator("#waiting")).to_be_hidden(timeout=WAIT_MS)
        until(lambda: loop.view() is not None)
        box = page.locator("#frame").bounding_box()
        assert box is not None
        with loop.subscribe(AnswerStarted) as events:
            page.mouse.click(box["x"] + box["width"] * 50 / 320, box["y"] + box["height"] * 90 / 240)
            event = events.get(20)
        assert isinstance(event, AnswerStarted) and event.ticket.point == pytest.approx((50, 90), abs=2)
        expect(page.locator("#answers .question").first).to_have_text("What is this?")
        expect(page.locator("#answers .answer").first).to_contain_text("owl", timeout=WAIT_MS)


def test_keyboard_alone_points_and_asks_and_a_screen_reader_hears_it(red_assistant: Assistant, clip: Path, page: Page
                                                                     ) -> None:
    with viewed(red_assistant, str(clip)) as (_, _, view):
        page.goto(view.url)
        expect(page.locator("#waiting")).to_be_hidden(timeout=WAIT_MS)
        page.keyboard.press("Tab")
        expect(page.locator("#picture")).to_be_focused()
        page.keyboard.press("Shift+ArrowLeft")
        expect(page.locator("#point")).to_be_visible()
        expect(page.get_by_role("status").last).to_have_text("40 percent from the left, 50 from the top")
        page.keyboard.press("Escape")
        expect(page.locator("#point")).to_be_hidden()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").last).to_contain_text("What is this? It", timeout=WAIT_MS)
        names = page.locator("button:visible, input:visible").evaluate_all(
            "all => all.map(one => one.innerText || one.labels?.[0]?.innerText || '')")
        assert names and all(names)


def test_a_camera_that_is_lost_is_said_to_be_lost_until_it_is_back(red_assistant: Assistant, tmp_path: Path, page: Page
                                                                   ) -> None:
    served = tmp_path / "served"
    served.mkdir()
    write_h264(served / "clip.mp4", a_clip(tmp_path / "clip.avi", size=(640, 480)))
    server = RtspServer(served)
    server.start()
    try:
        with viewed(red_assistant, server.url("clip.mp4")) as (_, _, view):
            page.goto(view.url)
            state = page.locator("#state")
            expect(state).to_have_attribute("data-state", "streaming", timeout=WAIT_MS)
            server.kill()
            expect(state).to_have_attribute("data-state", re.compile("stalled|lost"), timeout=WAIT_MS)
            expect(page.locator("#waiting")).to_be_visible()
            expect(page.get_by_role("alert")).to_contain_text("no picture")
            server.start()
            expect(state).to_have_attribute("data-state", "streaming", timeout=WAIT_MS)
            expect(page.locator("#waiting")).to_be_hidden()
    finally:
        server.kill()


def test_two_viewers_see_the_same_and_a_late_one_what_was_answered(red_assistant: Assistant, clip: Path, page: Page,
                                                                   browser: Browser) -> None:
    with viewed(red_assistant, str(clip)) as (_, _, view):
        other, late = browser.new_page(), browser.new_page()
        page.goto(view.url)
        other.goto(view.url)
        expect(other.locator("#waiting")).to_be_hidden(timeout=WAIT_MS)
        page.get_by_label("Question").fill("What is this?")
        page.get_by_role("button", name="Ask").click()
        for one in (page, other):
            expect(one.locator("#answers .answer").first).to_contain_text("owl", timeout=WAIT_MS)
        late.goto(view.url)
        expect(late.locator("#answers .answer").first).to_contain_text("owl", timeout=WAIT_MS)
        assert page.locator("#answers .answer").all_inner_texts() == other.locator("#answers .answer").all_inner_texts()
        other.close()
        late.close()


def test_a_page_finds_its_device_again(red_assistant: Assistant, clip: Path, page: Page) -> None:
    with viewed(red_assistant, str(clip)) as (_, _, view):
        address = view.address
        page.goto(view.url)
        expect(page.locator("#waiting")).to_be_hidden(timeout=WAIT_MS)
    expect(page.locator("#state")).to_have_attribute("data-state", "gone")
    with viewed(red_assistant, str(clip), address):
        expect(page.locator("#state")).to_have_attribute("data-state", "streaming", timeout=WAIT_MS)


def test_names_from_a_pack_stay_words(red_bundle: Path, tmp_path: Path, clip: Path, page: Page) -> None:
    hostile = '<img src=x onerror="document.title=1">'
    pack = colour_pack(tmp_path / "hostile.pxpack", red_bundle, first=hostile)
    with open_assistant(red_bundle, [pack], threads=1) as assistant, viewed(assistant, str(clip)) as (_, _, view):
        page.goto(view.url)
        page.get_by_label("Question").fill('<b>What</b> is this?')
        page.keyboard.press("Enter")
        expect(page.locator("#answers .entity").first).to_have_text(hostile, timeout=WAIT_MS)
        expect(page.locator("#answers .question").first).to_have_text("<b>What</b> is this?")
        expect(page.locator("#label")).to_have_text(hostile, timeout=WAIT_MS)
        assert page.title() == "pixsearch, live" and page.locator("#answers b, img[src=x]").count() == 0


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_is_cut_off_at_any_width(red_assistant: Assistant, clip: Path, page: Page, width: int) -> None:
    with viewed(red_assistant, str(clip)) as (_, _, view):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(view.url)
        page.get_by_label("Question").fill("What is this?")
        page.keyboard.press("Enter")
        expect(page.locator("#answers .overlay").first).to_be_visible(timeout=WAIT_MS)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        sizes = page.locator("button:visible").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
        assert all(size >= 44 for size in sizes)  # a finger must hit them


def test_the_voice_s_button_is_on_the_page_and_tells_what_it_does(red_assistant: Assistant, clip: Path, page: Page
                                                                  ) -> None:
    pressed: list[str] = []

    class Button:
        def talk(self) -> None:
            pressed.append("talk")

        def release(self) -> None:
            pressed.append("release")

    with viewed(red_assistant, str(clip)) as (_, hub, view):
        hub.button = Button()
        page.goto(view.url)
        page.get_by_role("button", name="Speak").click()
        until(lambda: pressed == ["talk"])
        hub.heard(StateChanged(VoiceState.LISTENING))
        expect(page.locator("#hint")).to_contain_text("speak now")
        page.get_by_role("button", name="Done").click()
        until(lambda: pressed == ["talk", "release"])
