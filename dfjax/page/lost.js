
// Says of a check whose server was lost that there will be no answer; the end of player.js.
// Gradio asks for this address until the server answers, and then loads the page anew. It does
// nothing more on this page, and the new one knows of no check.
const sayLost = () => {
  props.value = LOST_RESULT;
  const status = document.querySelector("#df-spoken [role=status]");
  if (status) status.textContent = LOST_WORDS;
};
let isLost = false;
new PerformanceObserver((list) => {
  if (isLost || !("dfBusy" in document.body.dataset)) return;
  if (!list.getEntries().some((entry) => entry.name.endsWith("/app_id"))) return;
  isLost = true;
  delete document.body.dataset.dfChecked;
  history.replaceState({dfLost: true}, "");
  sayLost();
}).observe({type: "resource"});
if (history.state?.dfLost) {
  history.replaceState(null, "");
  setTimeout(sayLost); // Gradio has yet to show what stands there at first
}
