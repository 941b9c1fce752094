// Shows a frame of the chosen file where the browser cannot play it.
// Runs when the page is loaded, as js_on_load of the preview: (element, trigger).
const instead = (target) => {
  const preview = element.querySelector(".df-preview");
  if (!preview || !target.getAttribute("src") || "unplayable" in preview.dataset) return;
  preview.dataset.unplayable = "";
  target.hidden = true;
  preview.querySelector("p").hidden = false;
  trigger("need_frames", {times: [0]});
};
element.addEventListener("error", (event) => instead(event.target), true);
// Of a video whose sound it knows but not its picture, a browser plays the sound.
element.addEventListener("loadedmetadata", (event) => {
  if (event.target.videoWidth === 0) instead(event.target);
}, true);
document.addEventListener("df-frames", () => {
  const preview = element.querySelector(".df-preview[data-unplayable]");
  const sent = document.querySelector("#df-frames [data-file]");
  if (!preview || sent?.dataset.file !== preview.dataset.file || !sent.firstElementChild) return;
  if (preview.querySelector(".df-poster")) return;
  const poster = sent.firstElementChild.cloneNode();
  poster.className = "df-poster";
  preview.prepend(poster);
});
