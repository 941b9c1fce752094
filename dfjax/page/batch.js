// Checks a list of files one after another. The list and all results live here, in the browser.
const {columns, header, max_bytes: maxBytes, words} = SETTINGS;
const find = (selector) => element.querySelector(selector);
const [input, bar, table, body, panel] =
  ["input", ".df-batch-bar", "table", "tbody", ".df-batch-result"].map(find);
const say = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
let wake = () => {};  // ends the pause that there is
const pause = (seconds) => new Promise((done) => {
  wake = done;
  setTimeout(done, 1000 * seconds);
});

let files = [];  // {file, state, answer, data, sent, tries, checks}
let current = null, opened = null, running = false, stopping = false, csvUrl = "";
let isLost = false;  // the connection: Gradio then does nothing more on this page
let source = {url: ""}, setUp = null;  // of the result that is shown
let trouble = "";  // why the list was given up
table.tabIndex = -1;

const MOST_TRIES = 5;  // at sending a file to a server that is full, or cannot be reached
const MOST_CHECKS = 60;  // at having a file checked: some ten minutes
const ORDER = {no_face: -1, error: -2};  // after all that have a probability

function rank(one) {
  if (!one.answer) return -3;
  return one.answer.probability ?? ORDER[one.answer.label];
}

function cell(row, text, kind = "td") {
  const made = row.appendChild(document.createElement(kind));
  made.textContent = text;
  return made;
}

function rowOf(one) {
  const row = document.createElement("tr");
  const name = cell(row, "", "th");
  name.scope = "row";
  if (one.answer) {
    const button = name.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = one.file.name;
    button.setAttribute("aria-label", `${words.open} ${one.file.name}`);
    button.setAttribute("aria-expanded", String(one === opened));
    button.onclick = () => open(one);
    row.dataset.label = one.answer.label;
  } else {
    name.textContent = one.file.name;
    row.dataset.state = one.state;
  }
  cell(row, one.answer ? one.answer.title : words[one.state]).className = "df-batch-verdict";
  const number = cell(row, one.answer ? one.answer.percent : "");
  if (one.answer?.probability != null) {
    const meter = number.appendChild(document.createElement("i"));
    meter.style.setProperty("--share", `${100 * one.answer.probability}%`);
  }
  return row;
}

function draw() {
  const held = element.contains(document.activeElement) ? document.activeElement : null;
  const focused = held?.ariaLabel;
  const sorted = files.map((one, place) => [one, place]);
  sorted.sort(([a, m], [b, n]) => rank(b) - rank(a) || m - n);
  body.replaceChildren(...sorted.map(([one]) => rowOf(one)));
  if (focused) [...body.querySelectorAll("button")].find((b) => b.ariaLabel === focused)?.focus();
  const done = files.filter((one) => one.answer);
  const left = files.some((one) => one.state === "waiting" || one.state === "stopped");
  bar.hidden = table.hidden = !files.length;
  find("[data-do=check]").hidden = running || isLost || !left;
  find("[data-do=stop]").hidden = !running;
  find("[data-do=stop]").disabled = stopping;
  find("[data-do=clear]").hidden = running;
  const progress = files.length ? say(words.progress, {done: done.length, all: files.length}) : "";
  const why = isLost ? words.lost : trouble;
  find("[role=status]").textContent = [progress, why].filter(Boolean).join(". ");
  if (held?.dataset.do && (bar.hidden || held.hidden || held.disabled)) {
    const still = ["stop", "check"].map((name) => find(`[data-do=${name}]`));
    const next = still.find((button) => !bar.hidden && !button.hidden && !button.disabled);
    (next ?? (table.hidden ? input : table)).focus({preventScroll: true});
  }
  const link = find("[data-do=csv]");
  link.hidden = !done.length;
  if (!done.length) return;
  URL.revokeObjectURL(csvUrl);
  const lines = sorted.filter(([one]) => one.answer).map(([one]) => one.answer.csv);
  csvUrl = URL.createObjectURL(new Blob(["\ufeff", header, ...lines], {type: "text/csv"}));
  link.href = csvUrl;
  link.download = words.file;
}

function open(one) {
  opened = one;
  panel.innerHTML = one.answer.html;  // made by the server, which escapes what is not its own
  // The other tab may show a result with the same ids.
  for (const named of panel.querySelectorAll("[id]")) named.id += "-batch";
  for (const named of panel.querySelectorAll("[aria-labelledby]"))
    named.setAttribute("aria-labelledby",
      named.getAttribute("aria-labelledby").replace(/\S+/g, "$&-batch"));
  panel.hidden = false;
  play(one.file);
  draw();
  panel.focus({preventScroll: true});
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  panel.scrollIntoView({block: "start", behavior: calm ? "auto" : "smooth"});
}

// The browser has the file already, so the player needs no upload.
function play(file) {
  URL.revokeObjectURL(source.url);
  const kind = file.type.startsWith("image/") ? "picture" : "video";
  source = {url: URL.createObjectURL(file), kind};
  setUp ??= window.dfPlayer(panel, () => source, (times) => trigger("need_frames", {times}));
  if (panel.querySelector(".df-player")) setUp();
}

function add(chosen) {
  for (const file of chosen) files.push({file, state: "waiting", answer: null, tries: 0, checks: 0});
  draw();
}

function end(one, answer) {
  one.answer = answer;
  one.data = null;
  draw();
  next();
}

function endWithError(one, message) {
  const quoted = (text) => `"${text.replaceAll('"', '""').replace(/^(?=[=+\-@\t\r])/, "'")}"`;
  const values = {video: one.file.name, error: message};
  const note = document.createElement("p");
  note.className = "df-card";
  note.textContent = message;
  end(one, {
    label: "error", title: words.failed, probability: null, percent: "", html: note.outerHTML,
    csv: columns.map((name) => (values[name] ? quoted(values[name]) : "")).join(",") + "\r\n",
  });
}

// Ends the run. It is no fault of the files that have no answer: they can be checked later.
function endRun(why = "") {
  const left = files.filter((one) => !one.answer);
  for (const one of left) Object.assign(one, {state: "stopped", tries: 0, checks: 0});
  current = null;
  running = stopping = false;
  trouble = why;
  draw();
}

// Waits before another try; returns whether there is to be one.
async function waitFor(one, state, seconds) {
  one.state = state;
  draw();
  if (!stopping) await pause(seconds);
  if (stopping) endRun();
  return one === current;
}

function addressOf(path) {
  const {root = "", api_prefix: prefix = "/gradio_api"} = window.gradio_config ?? {};
  return `${root}${prefix}/${path}`;
}

// Returns the server's answer and what it says, or nothing where the connection broke.
async function upload(file) {
  const body = new FormData();
  body.append("files", file, file.name);
  try {
    const answer = await fetch(addressOf("upload"), {method: "POST", body});
    return {answer, said: await answer.text()};
  } catch {
    return null;
  }
}

// A folder, and a file that was changed or deleted since it was chosen, fail as the network does.
const isReadable = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

// Returns what the server calls the file, or nothing where it has its error or the run has ended.
async function send(one) {
  if (one.file.size > maxBytes) {
    endWithError(one, say(words.too_large, {limit: Math.floor(maxBytes / 2 ** 20)}));
    return null;
  }
  for (;;) {
    one.state = "uploading";
    draw();
    const {answer, said} = (await upload(one.file)) ?? {};
    if (one !== current) return null;
    if (answer?.ok) return {
      path: JSON.parse(said)[0], orig_name: one.file.name, size: one.file.size,
      mime_type: one.file.type, meta: {_type: "gradio.FileData"},
    };
    if (answer ? ![429, 503, 507].includes(answer.status) : !(await isReadable(one.file))) {
      endWithError(one, said?.slice(0, 300) || (answer ? words.not_sent : words.not_read));
      return null;
    }
    if (++one.tries > MOST_TRIES) {
      endRun(answer ? words.not_taken : words.not_sent);
      return null;
    }
    const seconds = Math.min(Number(answer?.headers.get("retry-after")) || 10, 130);
    if (!(await waitFor(one, answer ? "room" : "offline", seconds))) return null;
  }
}

// Sends the file, unless the server has it still, and asks for its check.
async function check(one) {
  if (!one.data || !(await isThere(one.data.path))) one.data = one.sent = await send(one);
  if (one !== current || !one.data) return;
  one.state = "checking";
  draw();
  trigger("click");
}

async function isThere(path) {
  const address = addressOf(`file=${path.split("/").map(encodeURIComponent).join("/")}`);
  const answer = await fetch(address, {method: "HEAD"}).catch(() => null);
  return Boolean(answer?.ok);
}

function next() {
  current = stopping ? null : files.find((one) => one.state === "waiting" && !one.answer);
  if (current) check(current);
  else endRun();
}

// What the page's events call, once for each file.
window.dfBatch = {
  sent: () => current?.data ?? null,
  shown: () => opened?.sent ?? null,
  take: (answer) => current && end(current, JSON.parse(answer)),
  fail: async () => {
    const one = current;
    if (!one) return;
    if (++one.checks > MOST_CHECKS) endRun(words.not_taken);
    else if (await waitFor(one, "room", 10)) check(one);
  },
};

const deeds = {
  check: () => {
    for (const one of files) if (one.state === "stopped") one.state = "waiting";
    running = true;
    trouble = "";
    draw();
    next();
  },
  stop: () => {
    stopping = true;
    draw();
    wake();
  },
  clear: () => {
    files = [];
    opened = null;
    trouble = "";
    panel.hidden = true;
    panel.replaceChildren();
    URL.revokeObjectURL(source.url);
    draw();
  },
};
element.addEventListener("click", (event) => {
  deeds[event.target.closest("button[data-do]")?.dataset.do]?.();
});
// Where Gradio has lost the server in the middle of a check, it asks for this address until there
// is an answer, and then loads the page anew. Nothing more comes of the check.
new PerformanceObserver((list) => {
  if (isLost || !list.getEntries().some((entry) => entry.name.endsWith("/app_id"))) return;
  isLost = true;
  if (running) endRun();
  else draw();
}).observe({type: "resource"});
// The list and its results are here alone. Gradio hangs up at the question itself, which loses the
// check that runs even where the visitor then stays.
addEventListener("beforeunload", (event) => {
  if (running || files.some((one) => isLost || one.answer)) event.preventDefault();
});
input.addEventListener("change", () => {
  add(input.files);
  input.value = "";  // so that the same file can be chosen again
});
const zone = find(".df-drop");
for (const kind of ["dragenter", "dragover", "dragleave", "drop"])
  zone.addEventListener(kind, (event) => {
    event.preventDefault();
    zone.classList.toggle("df-over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") add(event.dataTransfer.files);
  });
