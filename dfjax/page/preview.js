// Shows the chosen file, and takes the result of the file before it away.
// Runs in the browser alone: (file) => [preview, result, announcement].
(file) => {
  const chosen = Array.isArray(file) ? file[0] : file;
  if (!chosen || !chosen.url) return ["", EMPTY_RESULT, ""];
  const escaped = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const url = escaped(chosen.url);
  const name = chosen.orig_name || chosen.path || "";
  const cannotPlay =
    "<p class='df-muted' hidden>This browser cannot play the file. It can be checked all the same.</p>";
  const onError = "this.hidden = true; this.nextElementSibling.hidden = false";
  const picture = /\.(gif|jpe?g|png|webp)$/i.test(name);
  const player = picture
    ? `<img src="${url}" alt="The chosen picture" onerror="${onError}">`
    : `<video src="${url}" controls muted playsinline preload="metadata" ` +
      `aria-label="The chosen video" onerror="${onError}"></video>`;
  return [`<div class="df-preview">${player}${cannotPlay}</div>`, EMPTY_RESULT, ""];
}
