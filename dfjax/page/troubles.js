
// Says what Gradio says in English, for ten seconds, or not at all; the end of player.js.
const {maxBytes, tooLarge, lost} = TROUBLES;
const tell = ({panel, sentence}) => {
  props.value = panel;
  const status = document.querySelector("#df-spoken [role=status]");
  if (status) status.textContent = sentence;
};

// Gradio does not begin to upload these. A file can only be chosen where none is yet.
for (const chosen of ["change", "drop"])
  document.addEventListener(chosen, (event) => {
    if (!event.target.closest?.("#df-upload")) return;
    const files = event.target.files ?? event.dataTransfer?.files ?? [];
    if ([...files].some((file) => file.size > maxBytes)) tell(tooLarge);
  }, true);

// Where Gradio has lost the server in the middle of a check, it asks for this address until there
// is an answer, and then loads the page anew. It does nothing more on this page, and the new one
// knows of no check.
let isLost = false;
new PerformanceObserver((list) => {
  if (isLost || !("dfBusy" in document.body.dataset)) return;
  if (!list.getEntries().some((entry) => entry.name.endsWith("/app_id"))) return;
  isLost = true;
  delete document.body.dataset.dfChecked;
  history.replaceState({dfLost: true}, "");
  tell(lost);
}).observe({type: "resource"});
if (history.state?.dfLost) {
  history.replaceState(null, "");
  setTimeout(tell, 0, lost); // Gradio has yet to show what stands there at first
}
