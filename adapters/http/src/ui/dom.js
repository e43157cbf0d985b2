// Making elements. Text becomes text nodes and nothing else, so that no key and no
// message can become markup.

const SVG = 'http://www.w3.org/2000/svg';

// Strokes on a grid of 24.
const ICONS = {
  folder: 'M3 7a2 2 0 0 1 2-2h4l2 2.5h8a2 2 0 0 1 2 2V17a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z',
  video: 'M4 6h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1z M10 9.5v5l4.5-2.5z',
  audio: 'M9 17.5V6l10-2v11.5 M9 17.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z M19 15.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z',
  image: 'M5 4h14a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1z M4 16l4.5-4.5L14 17l2.5-2.5L20 18 M15.5 9.5h.01',
  text: 'M6 3h8l5 5v12a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1z M14 3v5h5 M8.5 13h7 M8.5 16.5h5',
  other: 'M6 3h8l5 5v12a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1z M14 3v5h5',
  upload: 'M12 16V4 M7 8.5 12 4l5 4.5 M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3',
  download: 'M12 4v12 M7 11.5 12 16l5-4.5 M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3',
  link: 'M10 14a4 4 0 0 0 6 .4l2.8-2.8a4 4 0 0 0-5.6-5.6L12 7.2 M14 10a4 4 0 0 0-6-.4l-2.8 2.8a4 4 0 0 0 5.6 5.6L12 16.8',
  delete: 'M4 7h16 M9 7V4.5h6V7 M6.5 7l1 13h9l1-13 M10.5 11v5.5 M13.5 11v5.5',
  open: 'M14 4h6v6 M20 4l-9 9 M18 14v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1h5',
  copy: 'M9 9h10a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H9a1 1 0 0 1-1-1V10a1 1 0 0 1 1-1z M16 6V5a1 1 0 0 0-1-1H5a1 1 0 0 0-1 1v10a1 1 0 0 0 1 1h1',
  search: 'M11 18a7 7 0 1 1 0-14 7 7 0 0 1 0 14z M20 20l-4-4',
};

/**
 * Makes an element: `h('a', { href, class: 'x', onclick }, 'text', element)`. Names that
 * begin with `on` are listeners; `true` and `false` set and leave out an attribute;
 * children that are null or false are left out.
 */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (attribute.startsWith('on')) element.addEventListener(attribute.slice(2), value);
    else if (value === true) element.setAttribute(attribute, '');
    else if (value !== false && value != null) element.setAttribute(attribute, value);
  }
  return fill(element, ...children);
}

/** Gives an element these children in place of those it has, by the rules of {@link h}. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/** An icon, for the eye only. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  for (const [attribute, value] of [
    ['viewBox', '0 0 24 24'], ['class', `icon icon-${name}`], ['aria-hidden', 'true'],
  ]) svg.setAttribute(attribute, value);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button with an icon; `quiet` ones show the icon alone and are named by `label`. */
export function button(label, iconName, onclick, { quiet = false, ...attributes } = {}) {
  const named = quiet ? { 'aria-label': label, title: label, class: 'quiet square' } : {};
  return h('button', { type: 'button', ...named, ...attributes, onclick },
    iconName && icon(iconName), !quiet && label);
}

/** Shows one line that something went wrong, until the next view; nothing clears it. */
export function notice(problem) {
  const line = document.getElementById('notice');
  line.textContent = problem ? sentence(problem.message ?? String(problem)) : '';
  line.hidden = !problem;
}

let untell;

/** Says for a moment that something was done. */
export function tell(text) {
  const line = document.getElementById('told');
  line.textContent = text;
  line.classList.add('shown');
  clearTimeout(untell);
  untell = setTimeout(() => line.classList.remove('shown'), 3000);
}

/** The servers' messages begin in lower case, as error messages do. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
