// Brings a result to life: the player with the faces drawn over it, and the timeline under it.
// Runs when the page is loaded, as js_on_load of the result: (element, trigger, props, watch).
const RECENT = 0.12; // seconds around a frame that was looked at, in which its box is certain
const LONGEST_GAP = 4; // seconds between two of them, over which a box is guessed
const SNAP = 10; // pixels
const TAG = 24; // pixels above a box, for the name of its face
const A_LITTLE = 0.004; // seconds after the beginning of a frame, to be inside it

const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// As `shown_numbers.clock` with two decimals: frames of one look are closer than a second.
function clock(seconds) {
  if (seconds < 60) return `${Number(seconds.toFixed(2))} s`;
  const hundredths = Math.floor(100 * seconds + 1e-6), whole = Math.floor(hundredths / 100);
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  const end = `${two(whole % 60)}.${two(hundredths % 100)}`;
  return hours ? `${hours}:${two(minutes)}:${end}` : `${minutes}:${end}`;
}

function nearest(rows, time) {
  let best = 0;
  rows.forEach((row, n) => {
    if (Math.abs(row[0] - time) < Math.abs(rows[best][0] - time)) best = n;
  });
  return best;
}

// Makes a place in which results are shown, one after another. Returns what sets up a new result.
//   root: the place.
//   chosen: returns the file of the result as the browser has it: {url, kind, unplayable}.
//   ask: asks the server for frames of it, at a list of times.
window.dfPlayer = (root, chosen, ask) => {
  let lanes = [], duration = 0, ahead = 0, at = 0, frames = [], isHeld = false;
  const find = (selector) => root.querySelector(selector);

  function setUp() {
    const player = find(".df-player");
    const video = find("video.df-media"), picture = find("img.df-media");
    lanes = [...root.querySelectorAll(".df-scrub")].map((scrub) => ({
      scrub,
      frames: JSON.parse(scrub.dataset.frames),
      readout: scrub.closest(".df-lane").querySelector(".df-readout"),
      box: find(`.df-box[data-track="${scrub.dataset.track}"]`),
    }));
    duration = Number(find(".df-timeline").dataset.duration);
    ahead = 0;
    // The first stretch, or else the most suspicious face.
    const first = find(".df-lane:not(.df-unheard) .df-stretch, .df-crop");
    at = Number(first?.dataset.seek ?? lanes[0].frames[0][0]);
    frames = [];
    const {url, kind, unplayable} = chosen();
    const isPicture = kind === "picture";
    video.hidden = isPicture;
    picture.hidden = !isPicture;
    if (isPicture) picture.src = url;
    else load(video, url);
    player.dataset.ready = "";
    for (const other of document.querySelectorAll(".df-preview video, video.df-media"))
      if (other !== video) other.pause();
    if (unplayable !== undefined || (isPicture && !("still" in player.dataset))) askForFrames();
    draw(at);
  }

  // Loads a video and shows the time `at` of it.
  function load(video, url) {
    const start = Number(find(".df-timeline").dataset.clockStart), wanted = at;
    const hasClock = start > A_LITTLE && "requestVideoFrameCallback" in video;
    // Some browsers show nothing of a video before it is played, unless they are sent to a time.
    const source = `${url}#t=${(hasClock ? 0 : at) + A_LITTLE}`;
    video.src = source;
    if (!hasClock) return;
    // Some count from the file's beginning, as the result does, and others by the file's own clock,
    // which begins later. Which of the two it is shows in the time of the first frame.
    video.requestVideoFrameCallback((now, {mediaTime}) => {
      if (video.getAttribute("src") !== source) return;
      if (mediaTime > start - A_LITTLE) ahead = start;
      show(wanted);
    });
  }

  function askForFrames() {
    ask(JSON.parse(find(".df-player").dataset.moments));
  }

  function takeFrames() {
    const sent = document.querySelector("#df-frames [data-file]"), shown = find("[data-file]");
    if (!find(".df-player") || !sent || sent.dataset.file !== shown.dataset.file) return;
    const wanted = JSON.parse(find(".df-player").dataset.moments).length;
    if (sent.children.length < Math.min(wanted, 2)) return; // the poster of the preview
    frames = [...sent.children].map((image) => [Number(image.dataset.time), image.src]);
    find("video.df-media").hidden = true;
    find("img.df-media").hidden = false;
    find(".df-instead").hidden = "still" in find(".df-player").dataset;
    show(at);
  }

  // Shows a time: in the video, or as the nearest of the frames that were sent.
  function show(time) {
    const video = find("video.df-media");
    at = clamp(time, 0, duration);
    if (frames.length) {
      const [shown, source] = frames[nearest(frames, at)];
      find("img.df-media").src = source;
      find(".df-instead span").textContent = clock(shown);
    } else if (!video.hidden) {
      video.pause();
      video.currentTime = at + ahead + A_LITTLE;
    }
    draw(at);
  }

  function draw(time) {
    const pictured = frames.length ? frames[nearest(frames, time)][0] : time;
    find(".df-timeline").style.setProperty("--at", duration ? clamp(time / duration, 0, 1) : 0.5);
    for (const lane of lanes) {
      place(lane.box, lane.frames, pictured);
      tell(lane, nearest(lane.frames, time));
    }
  }

  // Puts a box where the face is, or between where it was and where it will be.
  function place(box, rows, time) {
    let next = rows.findIndex((row) => row[0] >= time);
    if (next < 0) next = rows.length;
    const after = rows[Math.min(next, rows.length - 1)], before = rows[Math.max(next - 1, 0)];
    const away = Math.min(Math.abs(after[0] - time), Math.abs(before[0] - time));
    const isBetween = before[0] <= time && time <= after[0] && after[0] - before[0] <= LONGEST_GAP;
    box.hidden = duration > 0 && away > RECENT && !isBetween;
    box.classList.toggle("df-guess", duration > 0 && away > RECENT);
    const span = after[0] - before[0], share = span > 0 ? clamp((time - before[0]) / span, 0, 1) : 1;
    const edge = (n) => before[n] + share * (after[n] - before[n]);
    const [left, top, right, bottom] = [2, 3, 4, 5].map(edge);
    Object.assign(box.style, {
      left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%`,
    });
    box.classList.toggle("df-box-high", (top / 100) * box.parentElement.clientHeight < TAG);
  }

  function tell(lane, index) {
    const [time, probability] = lane.frames[index];
    const value = Math.round(100 * probability);
    lane.readout.textContent = duration ? `${clock(time)} · ${value}` : value;
    lane.scrub.setAttribute("aria-valuenow", index);
    const words = lane.scrub.dataset.words;
    const text = words.replace("{time}", clock(time)).replace("{value}", value);
    lane.scrub.setAttribute("aria-valuetext", text);
  }

  function laneOf(event) {
    const scrub = event.target.closest?.(".df-scrub");
    return scrub && lanes.find((lane) => lane.scrub === scrub);
  }

  // The frame under the pointer, and the time to go to: of the frame, if it is near enough.
  function under(lane, event) {
    const {left, width} = lane.scrub.getBoundingClientRect();
    const time = duration * clamp((event.clientX - left) / width, 0, 1);
    const index = nearest(lane.frames, time);
    const away = (Math.abs(lane.frames[index][0] - time) / (duration || 1)) * width;
    return {index, time: away <= SNAP ? lane.frames[index][0] : time};
  }

  root.addEventListener("pointerdown", (event) => {
    const lane = laneOf(event);
    if (!lane || event.button) return;
    isHeld = true;
    lane.scrub.setPointerCapture(event.pointerId);
    show(under(lane, event).time);
  });
  root.addEventListener("pointermove", (event) => {
    const lane = laneOf(event);
    if (!lane) return;
    const {index, time} = under(lane, event);
    if (isHeld) show(time);
    tell(lane, index);
  });
  for (const end of ["pointerup", "pointercancel"])
    root.addEventListener(end, () => { isHeld = false; });
  root.addEventListener("pointerout", (event) => {
    if (laneOf(event) && !isHeld) draw(at);
  });

  root.addEventListener("keydown", (event) => {
    const lane = laneOf(event);
    if (!lane) return;
    const last = lane.frames.length - 1, now = nearest(lane.frames, at);
    const steps = {
      ArrowRight: now + 1, ArrowUp: now + 1, ArrowLeft: now - 1, ArrowDown: now - 1,
      PageUp: now + 8, PageDown: now - 8, Home: 0, End: last, Enter: now,
    };
    if (!(event.key in steps)) return;
    event.preventDefault();
    show(lane.frames[clamp(steps[event.key], 0, last)][0]);
  });

  root.addEventListener("click", (event) => {
    const target = event.target.closest("[data-seek]");
    if (!target || !find(".df-player[data-ready]")) return;
    show(Number(target.dataset.seek));
    find(".df-screen").scrollIntoView({block: "nearest", behavior: calm() ? "auto" : "smooth"});
  });

  // Events of a video do not bubble, so they are caught on their way down.
  const moved = (event) => {
    if (!event.target.matches("video.df-media") || event.target.hidden) return;
    at = Math.max(0, event.target.currentTime - ahead - A_LITTLE);
    draw(at);
  };
  for (const name of ["timeupdate", "seeked"]) root.addEventListener(name, moved, true);
  root.addEventListener("play", (event) => {
    const video = event.target;
    const follow = () => {
      if (video.paused || video.ended || !video.isConnected) return;
      moved({target: video});
      requestAnimationFrame(follow);
    };
    follow();
  }, true);
  const instead = (media) => {
    if (media.matches(".df-media") && media.getAttribute("src") && !frames.length) askForFrames();
  };
  root.addEventListener("error", (event) => instead(event.target), true);
  // Of a video whose sound it knows but not its picture, a browser plays the sound.
  root.addEventListener("loadedmetadata", (event) => {
    if (event.target.videoWidth === 0) instead(event.target);
  }, true);

  document.addEventListener("df-frames", takeFrames);
  return setUp;
};

const empty = props.value;
const preview = () => document.querySelector("#df-preview .df-preview")?.dataset ?? {};
const setUp = window.dfPlayer(element, preview, (times) => trigger("need_frames", {times}));

// A result is only ever shown beside the file that it is for. One of a check that was cancelled may
// still come, and is not shown.
watch("value", () => {
  const shown = element.querySelector("[data-file]");
  if (!shown) return;
  const {dfChecked} = document.body.dataset;
  if (shown.dataset.file !== (preview().file ?? "") || shown.dataset.file !== dfChecked)
    props.value = empty;
  else if (element.querySelector(".df-player")) setUp();
});

// Says each stage of a check once, for those who do not see the progress; none of a check that was
// cancelled, whose progress still comes for a moment.
let said = "";
new MutationObserver(() => {
  const stage = document.querySelector("#df-result .progress-level-inner")?.textContent ?? "";
  const words = stage.split(" - ")[0].trim();
  if (!("dfChecked" in document.body.dataset)) {
    said = "";
    return;
  }
  if (!words || words === said) return;
  said = words;
  const status = document.querySelector("#df-spoken [role=status]");
  if (status) status.textContent = words;
}).observe(element.closest("#df-result") ?? element, {
  subtree: true, childList: true, characterData: true,
});
