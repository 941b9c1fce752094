// Names for screen readers what Gradio leaves without a name, or names in English alone.
// Runs when the page is loaded. A tab is built when it is first opened, and the upload anew
// whenever it is emptied.
() => {
  const name = () => {
    // Its own words are in the visitor's language.
    document.querySelector("#df-upload > button")?.removeAttribute("aria-label");
    // Of the tabs that a narrow screen has no room for.
    document.querySelector("#df-tabs .overflow-menu > button")?.setAttribute("aria-label", MORE_TABS);
    document.querySelectorAll("#df-effort, .df-effort").forEach((group, n) => {
      const title = group.querySelector("[data-testid=block-info]");
      title.id = `df-effort-title-${n}`;
      group.setAttribute("aria-labelledby", title.id);
      // One choice of three, which the arrow keys move, and not three choices of one.
      for (const choice of group.querySelectorAll("input")) choice.name = title.id;
    });
  };
  new MutationObserver(name).observe(document.body, {childList: true, subtree: true});
  name();
}
