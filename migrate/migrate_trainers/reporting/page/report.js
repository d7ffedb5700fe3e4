(() => {
  "use strict";
  const form = document.getElementById("filter");
  const search = form.elements.text;
  const notes = [...document.querySelectorAll(".note")].map((node) => {
    const file = node.closest(".file");
    return { node, file, text: `${file.dataset.name} ${node.textContent}`.toLowerCase() };
  });
  const files = [...document.querySelectorAll(".file")];
  const entries = new Map([...document.querySelectorAll("[data-file]")].map((node) => [node.dataset.file, node]));
  const chosen = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));

  function apply() {
    const filter = chosen();
    const kinds = filter.getAll("kind");
    const code = filter.get("code");
    const words = (filter.get("text") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const active = filter.size > 0;
    const found = new Set();
    let count = 0;
    for (const { node, file, text } of notes) {
      const matches = (!kinds.length || kinds.includes(node.dataset.kind)) && (!code || code === node.dataset.code) &&
        words.every((word) => text.includes(word));
      node.hidden = !matches;
      if (matches) {
        count += 1;
        found.add(file);
      }
    }
    for (const file of files) {
      file.hidden = active && !found.has(file);
      const entry = entries.get(file.id);
      if (entry) entry.hidden = file.hidden;
    }
    document.querySelector(".nothing").hidden = !active || found.size > 0;
    form.querySelector("output").textContent = active ? `${count} of ${notes.length} findings` : "";
  }

  // The filter is part of the address, so that a link can name it.
  function remember() {
    apply();
    const filter = chosen();
    try {
      history.replaceState(null, "", filter.size ? `#${filter}` : location.pathname + location.search);
    } catch {
      // A viewer that shows the page in a frame may keep its address.
    }
  }

  function recall() {
    if (!location.hash.includes("=")) return;
    const filter = new URLSearchParams(location.hash.slice(1));
    search.value = filter.get("text") ?? "";
    form.elements.code.value = filter.get("code") ?? "";
    for (const box of form.querySelectorAll("[name=kind]")) box.checked = filter.getAll("kind").includes(box.value);
    apply();
  }

  form.addEventListener("input", remember);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(remember));
  addEventListener("hashchange", recall);
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.target.matches("input, select")) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && form.contains(event.target)) {
      form.reset();
    }
  });
  form.hidden = false;
  recall();
})();
