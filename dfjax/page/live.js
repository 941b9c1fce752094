// Sends frames of the camera, one at a time, and shows what comes back.
// Runs when the page is loaded, as js_on_load of the live tab: (element, trigger, props).
const PACE = 125; // milliseconds between two frames, at most eight a second
const WIDTH = 640; // pixels of a frame that is sent
const QUALITY = 0.92; // of its JPEG
const PAST = 60; // seconds that the line shows

const root = element.querySelector(".df-live");
const {words, needed, address} = JSON.parse(root.dataset.settings);
const find = (selector) => root.querySelector(selector);
const video = find("video"), boxes = find(".df-live-boxes");
const canvas = document.createElement("canvas");
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const percent = (share) =>
  share <= 0.005 ? "<1%" : share >= 0.995 ? ">99%" : `${Math.round(100 * share)}%`;

let session = null, closing = null, camera = null, timer = 0, run = 0;
let isWaiting = false, dropped = 0, times = [], past = [], said = "";

// What the server says is English; everything else is in the language of the page.
function show(state, text, lang = document.documentElement.lang) {
  root.dataset.state = state;
  find(".df-live-state").textContent = text;
  for (const place of [".df-live-state", ".df-live-spoken"]) find(place).lang = lang;
}

// Only what changes is said aloud, not every number.
function say(text) {
  if (text === said) return;
  said = text;
  find(".df-live-spoken").textContent = text;
}

function showScore(share) {
  find(".df-live-number").textContent = share === null ? "–" : percent(share);
  find(".df-live-meter span").style.width = `${100 * (share ?? 0)}%`;
}

async function start() {
  if (root.dataset.state !== "off") return;
  if (!navigator.mediaDevices?.getUserMedia) return fail(words.insecure);
  const own = ++run;
  show("asking", words.asking);
  find(".df-live-start").hidden = true;
  find(".df-live-stop").hidden = false;
  find(".df-live-stop").focus();
  try {
    const wanted = {width: {ideal: WIDTH}, height: {ideal: 480}, frameRate: {ideal: 30}};
    const stream = await navigator.mediaDevices.getUserMedia({video: wanted, audio: false});
    if (own !== run) return stream.getTracks().forEach((track) => track.stop());
    camera = stream;
  } catch (error) {
    const why = {NotFoundError: words.noCamera, NotReadableError: words.inUse}[error.name];
    if (own === run) fail(why ?? fill(words.denied, {reason: error.name}));
    return;
  }
  camera.getVideoTracks()[0].addEventListener("ended", () => own === run && stop(words.idle));
  video.srcObject = camera;
  video.hidden = false;
  try {
    await video.play();
    await closing; // each client has one session, and requests may overtake each other
    const answer = await fetch(address, {method: "POST"});
    if (!answer.ok) throw new Refusal(await answer.text());
    const {session: name} = await answer.json();
    if (own !== run) return close(name);
    session = name;
  } catch (error) {
    if (own === run) failWith(error);
    return;
  }
  dropped = 0; times = []; past = [];
  show("on", words.noFace);
  timer = setInterval(tick, PACE, own);
}

// A beacon would have no origin in some browsers, as the page sends no referrer; the server refuses
// such requests.
const close = (name) =>
  fetch(`${address}/${name}?close`, {method: "POST", keepalive: true}).catch(() => {});

function stop(why, lang) {
  run += 1;
  clearInterval(timer);
  if (session) closing = close(session);
  camera?.getTracks().forEach((track) => track.stop());
  session = camera = video.srcObject = null;
  video.hidden = true;
  isWaiting = false;
  boxes.replaceChildren();
  showScore(null);
  const [starting, stopping] = [find(".df-live-start"), find(".df-live-stop")];
  starting.hidden = false;
  // A button that is hidden loses the focus. Where the tab was left, none can take it.
  if (document.activeElement === stopping) starting.focus({preventScroll: true});
  stopping.hidden = true;
  show("off", why, lang);
  say(why);
}

const fail = (why, lang) => stop(why, lang);

class Refusal extends Error {}

const failWith = (error) =>
  error instanceof Refusal && error.message ? fail(error.message, "en") : fail(words.lost);

// A frame is due. If the last one has not been answered yet, it is left out, so no queue can form.
async function tick(own) {
  if (own !== run) return;
  if (!element.isConnected || root.offsetParent === null || document.hidden)
    return stop(words.hidden);
  if (isWaiting) {
    dropped += 1;
    return;
  }
  if (!video.videoWidth) return;
  isWaiting = true;
  const taken = performance.now();
  try {
    canvas.width = Math.min(WIDTH, video.videoWidth);
    canvas.height = Math.round((canvas.width * video.videoHeight) / video.videoWidth);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    const body = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
    if (own !== run) return;
    const url = `${address}/${session}?t=${taken / 1000}`;
    const answer = await fetch(url, {method: "PUT", body});
    if (own !== run) return;
    if (answer.status === 404) return stop(words.over); // its time was up
    if (!answer.ok) throw new Refusal(await answer.text());
    const score = await answer.json();
    if (own === run) draw(score, taken);
  } catch (error) {
    if (own === run) failWith(error);
  } finally {
    if (own === run) isWaiting = false;
  }
}

function draw(score, taken) {
  const now = performance.now();
  times = [...times.filter((time) => now - time < 3000), now];
  const rate = times.length > 1 ? (1000 * (times.length - 1)) / (now - times[0]) : 0;
  const delay = Math.round(now - taken);
  find(".df-live-pace").textContent = fill(words.pace, {rate: rate.toFixed(1), dropped, delay});
  boxes.replaceChildren(...score.faces.map((face) => box(face, score)));
  const share = score.probability_fake;
  showScore(share);
  past = [...past.filter(([time]) => now - time < 1000 * PAST), [now, share]];
  find(".df-live-past polyline").setAttribute("points", past
    .filter(([, value]) => value !== null)
    .map(([time, value]) => `${PAST - (now - time) / 1000},${19 - 18 * value}`).join(" "));
  if (share !== null) {
    const seconds = Math.max(...score.faces.map((face) => face.seconds)).toFixed(0);
    show("on", fill(words.score, {percent: percent(share), seconds}));
    if (!said.startsWith(words.scored.split("{")[0])) say(fill(words.scored, {percent: percent(share)}));
    return;
  }
  const longest = Math.max(0, ...score.faces.map((face) => face.seconds));
  const isSmall = score.faces.length && score.faces.every((face) => face.reason === "small");
  const seen = longest.toFixed(1);
  show("on", !score.faces.length ? words.noFace : isSmall ? words.small
    : longest < needed ? fill(words.waiting, {seen, needed}) : words.slow);
  say(!score.faces.length ? words.noFace : isSmall ? words.small : "");
}

function box(face, {width, height}) {
  const [left, top, right, bottom] = face.box_xyxy;
  const place = document.createElement("div");
  place.style.cssText = `left:${(100 * left) / width}%;top:${(100 * top) / height}%;` +
    `width:${(100 * (right - left)) / width}%;height:${(100 * (bottom - top)) / height}%`;
  const label = document.createElement("span");
  const values = {number: face.id + 1, percent: percent(face.probability_fake ?? 0)};
  label.textContent = fill(face.probability_fake === null ? words.face : words.faceScore, values);
  place.append(label);
  return place;
}

find(".df-live-start").addEventListener("click", start);
find(".df-live-stop").addEventListener("click", () => {
  stop(words.idle);
  find(".df-live-start").focus();
});
window.addEventListener("pagehide", () => session && stop(words.idle));
