const words = document.getElementById("words");
const outcome = document.getElementById("outcome");
const found = document.getElementById("found");
const examples = [...document.querySelectorAll(".example")].map((element) => ({
  element,
  outcome: element.dataset.outcome,
  text: element.textContent.toLowerCase(),
}));

function search() {
  const wanted = words.value.toLowerCase().split(/\s+/);
  let shown = 0;
  for (const example of examples) {
    const matches =
      (!outcome.value || example.outcome === outcome.value) &&
      wanted.every((word) => example.text.includes(word));
    example.element.hidden = !matches;
    shown += matches;
  }
  found.textContent = `${shown} of ${examples.length}`;
}

words.addEventListener("input", search);
outcome.addEventListener("change", search);
search();
