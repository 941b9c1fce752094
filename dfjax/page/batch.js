// Checks a list of files one after another. The list and all results live here, in the browser.
const {columns, header, max_bytes: maxBytes, words} = SETTINGS;
const find = (selector) => element.querySelector(selector);
const [input, bar, table, body, panel] =
  ["input", ".df-batch-bar", "table", "tbody", ".df-batch-result"].map(find);
const say = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

let files = [];  // {file, state, answer, data, sent, tries, checks}
let current = null, opened = null, running = false, stopping = false, csvUrl = "";
let source = {url: ""}, setUp = null;  // of the result that is shown
let trouble = "";  // why the list was given up
table.tabIndex = -1;

const MOST_TRIES = 5;  // at sending a file to a server that is full
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
  find("[data-do=check]").hidden = running || !left;
  find("[data-do=stop]").hidden = !running;
  find("[data-do=stop]").disabled = stopping;
  find("[data-do=clear]").hidden = running;
  const progress = files.length ? say(words.progress, {done: done.length, all: files.length}) : "";
  find("[role=status]").textContent = [progress, trouble].filter(Boolean).join(". ");
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
    label: "error", title: words.stopped, probability: null, percent: "", html: note.outerHTML,
    csv: columns.map((name) => (values[name] ? quoted(values[name]) : "")).join(",") + "\r\n",
  });
}

// Returns what the server calls the file, or nothing once the file has its error.
async function send(one) {
  if (one.file.size > maxBytes) {
    endWithError(one, say(words.too_large, {limit: Math.floor(maxBytes / 2 ** 20)}));
    return null;
  }
  const form = new FormData();
  form.append("files", one.file, one.file.name);
  const {root = "", api_prefix: prefix = "/gradio_api"} = window.gradio_config ?? {};
  for (;;) {
    let answer;
    try {
      answer = await fetch(`${root}${prefix}/upload`, {method: "POST", body: form});
    } catch {
      endWithError(one, words.not_sent);
      return null;
    }
    if (answer.ok) return {
      path: (await answer.json())[0], orig_name: one.file.name, size: one.file.size,
      mime_type: one.file.type, meta: {_type: "gradio.FileData"},
    };
    const full = [429, 503, 507].includes(answer.status);
    if (!full || ++one.tries > MOST_TRIES) {
      endWithError(one, (await answer.text()).slice(0, 300) || words.not_sent);
      return null;
    }
    one.state = "room";
    draw();
    await pause(Math.min(Number(answer.headers.get("retry-after")) || 10, 130));
  }
}

async function next() {
  current = stopping ? null : files.find((one) => one.state === "waiting" && !one.answer);
  if (!current) {
    for (const one of files) if (!one.answer && one.state === "waiting") one.state = "stopped";
    running = stopping = false;
    draw();
    return;
  }
  current.state = "uploading";
  draw();
  current.data = current.sent = await send(current);
  if (!current?.data) return;
  current.state = "checking";
  draw();
  trigger("click");
}

// What the page's events call, once for each file.
window.dfBatch = {
  sent: () => current?.data ?? null,
  shown: () => opened?.sent ?? null,
  take: (answer) => current && end(current, JSON.parse(answer)),
  fail: async () => {
    if (!current) return;
    if (++current.checks > MOST_CHECKS) {
      // No fault of the file: it and those after it can be checked later.
      current.state = "stopped";
      current.checks = 0;
      trouble = words.not_taken;
      stopping = true;
      return next();
    }
    current.state = "room";
    draw();
    await pause(10);
    trigger("click");
  },
};

const deeds = {
  check: () => {
    for (const one of files) if (one.state === "stopped") one.state = "waiting";
    running = true;
    trouble = "";
    next();
  },
  stop: () => { stopping = true; draw(); },
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
// Gradio loads the page anew where it has lost the server for a while, and the results are here alone.
addEventListener("beforeunload", (event) => {
  if (files.some((one) => one.answer)) event.preventDefault();
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
