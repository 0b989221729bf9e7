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

/** Sets a text that a screen reader says; the same text again is not said again. */
export function tell(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A button that cannot be used now keeps its place in the order of the keyboard: one that is `disabled` would drop the focus. */
export function usable(button: HTMLButtonElement, yes: boolean): void {
  button.setAttribute('aria-disabled', String(!yes));
}

const busy = new WeakSet<HTMLButtonElement>();

/** Runs what a button does, one press at a time; says what went wrong beside it. */
export function does(button: HTMLButtonElement, says: HTMLElement, action: () => Promise<string | void>): void {
  button.addEventListener('click', async () => {
    if (busy.has(button) || button.getAttribute('aria-disabled') === 'true') return;
    busy.add(button);
    button.setAttribute('aria-busy', 'true');
    try {
      says.textContent = (await action()) ?? '';
      says.classList.remove('bad');
    } catch (problem) {
      says.textContent = problem instanceof Error ? problem.message : String(problem);
      says.classList.add('bad');
    } finally {
      busy.delete(button);
      button.removeAttribute('aria-busy');
    }
  });
}
