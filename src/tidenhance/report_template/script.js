"use strict";
for (const compare of document.querySelectorAll(".compare")) {
  const range = compare.querySelector("input");
  const buttons = [...compare.parentElement.querySelectorAll("button")];
  const cut = () => compare.style.setProperty("--cut", `${range.value}%`);
  const view = (name) => {
    compare.dataset.view = name;
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.view === name));
    }
  };
  range.addEventListener("input", () => {
    cut();
    view("");
  });
  for (const button of buttons) {
    button.addEventListener("click", () => {
      view(compare.dataset.view === button.dataset.view ? "" : button.dataset.view);
    });
  }
  cut();
}
