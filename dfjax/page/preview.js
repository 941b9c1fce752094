// Shows the chosen file, and takes the result of the file before it away.
// Runs in the browser alone: (file) => [preview, result, announcement, button].
(file) => {
  const chosen = Array.isArray(file) ? file[0] : file;
  const isBusy = "dfBusy" in document.body.dataset;
  delete document.body.dataset.dfChecked;
  const button = {__type__: "update", interactive: Boolean(chosen?.url) && !isBusy};
  if (!chosen || !chosen.url) return ["", EMPTY_RESULT, "", button];
  const escaped = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const url = escaped(chosen.url);
  const name = chosen.orig_name || chosen.path || "";
  // As `player.file_key` does on the server.
  const key = escaped(chosen.path.split(/[\\/]/).slice(-2).join("/"));
  const isPicture = /\.(a?png|avif|bmp|gif|hei[cf]|jfif|jpe?g?|tiff?|webp)$/i.test(name);
  const player = isPicture
    ? `<img src="${url}" alt="${WORDS.picture}">`
    : `<video src="${url}#t=0.001" controls muted playsinline preload="metadata" ` +
      `aria-label="${WORDS.video}"></video>`;
  const about = `data-file="${key}" data-url="${url}" data-kind="${isPicture ? "picture" : "video"}"`;
  const preview =
    `<div class="df-preview" ${about}>${player}` +
    `<p hidden>${WORDS.cannotPlay}</p></div>`;
  // An example is checked at once, which is said then.
  const ready = "dfPicked" in document.body.dataset ? "" : WORDS.ready.replace("{name}", () => name);
  return [preview, EMPTY_RESULT, ready, button];
}
