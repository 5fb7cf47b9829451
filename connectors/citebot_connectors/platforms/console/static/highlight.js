// Marking sentences inside drawn text, across bold, code and line breaks.

const EMPTY = /[\s*`_|]/;

/** Mark each sentence where it occurs; returns how many were found. */
export function highlight(root, sentences) {
  return sentences.filter((sentence) => markOne(root, sentence)).length;
}

function markOne(root, sentence) {
  const wanted = squeeze(sentence);
  if (!wanted) return false;
  const { text, at } = letters(root);
  const start = text.indexOf(wanted);
  if (start < 0) return false;
  const [from, to] = [at[start], at[start + wanted.length - 1]];
  // From the end, so that cutting one text node does not move the places before it.
  for (const node of between(root, from.node, to.node).reverse()) {
    const begin = node === from.node ? from.offset : 0;
    const end = node === to.node ? to.offset + 1 : node.data.length;
    if (!node.data.slice(begin, end).trim()) continue;
    const range = document.createRange();
    range.setStart(node, begin);
    range.setEnd(node, end);
    range.surroundContents(document.createElement("mark"));
  }
  return true;
}

const squeeze = (text) => Array.from(text.normalize("NFC"), (c) => (EMPTY.test(c) ? "" : c.toLowerCase())).join("");

function textNodes(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  return nodes;
}

/** All letters of the drawn text without spaces and marks, and where each one stands. */
function letters(root) {
  let text = "";
  const at = [];
  for (const node of textNodes(root)) {
    for (let offset = 0; offset < node.data.length; offset += 1) {
      const letter = node.data[offset].toLowerCase();
      if (EMPTY.test(letter)) continue;
      text += letter;
      for (let unit = 0; unit < letter.length; unit += 1) at.push({ node, offset });
    }
  }
  return { text, at };
}

function between(root, first, last) {
  const nodes = textNodes(root);
  return nodes.slice(nodes.indexOf(first), nodes.indexOf(last) + 1);
}
