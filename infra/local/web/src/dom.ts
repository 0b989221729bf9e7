// As much of a framework as this page needs.
type Child = Node | string | null;
type Attributes = Record<string, string | boolean | EventListener>;

function fill<E extends Element>(element: E, attributes: Attributes, children: Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

export function s<K extends keyof SVGElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): SVGElementTagNameMap[K] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

/** The element with this id; the page has it. */
export function by<E extends HTMLElement = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as E;
}

/** Runs what a button does; says what went wrong beside it. */
export function does(button: HTMLButtonElement, says: HTMLElement, action: () => Promise<string | void>): void {
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      says.textContent = (await action()) ?? '';
      says.classList.remove('bad');
    } catch (problem) {
      says.textContent = problem instanceof Error ? problem.message : String(problem);
      says.classList.add('bad');
    } finally {
      button.disabled = false;
    }
  });
}
