// The chunk map: where the content of an object lies.

import { button, fill, h } from './dom.js';
import { bytes, counted } from './format.js';
import * as server from './server.js';

/** So many chunks come in one answer. */
const CHUNKS_AT_ONCE = 500;

/** A chunk of the largest size is drawn so wide, and none narrower, in pixels. */
const WIDE = 44;
const NARROW = 4;

/** Segments have as many colours; then they begin again. */
const COLOURS = 6;

/**
 * The card with the map. `first` is the first answer of {@link server.manifest}; more
 * is asked for by its button.
 */
export function chunkMap(key, first, signal) {
  const { info } = first;
  if (info.chunks === 0) {
    return card('It lies in the manifest itself: one value holds both.',
      h('div', { class: 'map' }, h('span', { class: 'block inline' })));
  }
  const map = h('div', { class: 'map', role: 'listbox', 'aria-label': 'Chunks, in order' });
  const about = h('dl', { class: 'about', 'aria-live': 'polite' });
  const more = button('', null, async () => {
    more.disabled = true;
    try {
      draw(await server.manifest(key, next, CHUNKS_AT_ONCE, signal));
    } catch (error) {
      fill(about, error.message);
    }
    more.disabled = false;
  }, { class: 'more' });
  const segments = new Map();
  const largest = Math.max(...first.chunks.map((chunk) => chunk.size));
  const blocks = [];
  let next = null;
  let told = null;

  function draw(answer) {
    if (answer.info.generation !== info.generation) {
      throw new Error('The object was replaced meanwhile; load it again.');
    }
    map.append(...answer.chunks.map((chunk) => block(chunk, answer.pages)));
    next = answer.next;
    more.hidden = next == null;
    more.textContent = `Show more: ${blocks.length.toLocaleString()} of ${counted(info.chunks, 'chunk')} are drawn`;
  }

  function block(chunk, pages) {
    if (!segments.has(chunk.segment)) segments.set(chunk.segment, segments.size);
    const colour = segments.get(chunk.segment) % COLOURS;
    const element = h('span', {
      class: `block segment-${colour}`, role: 'option', 'aria-selected': 'false',
      tabindex: blocks.length === 0 ? 0 : -1,
      'aria-label': `Chunk ${chunk.index}: ${bytes(chunk.size)} at ${bytes(chunk.offset)}`,
    });
    const width = Math.max(NARROW, Math.round((WIDE * chunk.size) / largest));
    element.style.setProperty('--width', `${width}px`);
    const page = pages.find((page) => page.offset <= chunk.offset
      && chunk.offset < page.offset + page.size);
    const tell = () => describe(element, chunk, page);
    element.addEventListener('pointerenter', tell);
    element.addEventListener('focus', tell);
    if (blocks.push(element) === 1) tell();
    return element;
  }

  function describe(element, chunk, page) {
    told?.setAttribute('aria-selected', 'false');
    told = element;
    element.setAttribute('aria-selected', 'true');
    const fact = (name, value, kind) => h('div', {}, h('dt', {}, name), h('dd', { class: kind }, value));
    fill(about,
      fact('Chunk', `${chunk.index.toLocaleString()}, counted from 0`),
      fact('Offset', counted(chunk.offset, 'byte')),
      fact('Size', chunk.size < 1024 ? bytes(chunk.size)
        : `${bytes(chunk.size)} (${counted(chunk.size, 'byte')})`),
      fact(info.chunks === 1 ? 'Digest' : 'Chaining value', chunk['chaining-value'], 'hex'),
      fact('Stored as', chunk.value, 'hex'),
      fact('Listed in', page ? `${page.value}, ${counted(page.chunks, 'chunk')}` : 'the manifest'));
  }

  map.addEventListener('keydown', (event) => {
    const at = blocks.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1,
      Home: 0, End: blocks.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const target = blocks[Math.min(Math.max(to, 0), blocks.length - 1)];
    blocks[at].tabIndex = -1;
    target.tabIndex = 0;
    target.focus();
  });

  draw(first);
  const sizes = first.chunks.map((chunk) => chunk.size);
  const range = info.chunks === 1 ? '' : `, ${bytes(Math.min(...sizes))} to ${bytes(largest)} each`;
  const written = segments.size > 1 ? `, written in ${segments.size} goes` : '';
  return card(`${counted(info.chunks, 'chunk')}${range}${written}. Each is a value of its own; widths are their sizes.`,
    map, more, about);
}

function card(text, ...content) {
  return h('section', { class: 'card chunks', 'aria-label': 'Chunk map' },
    h('h2', {}, 'Chunk map'), h('p', { class: 'soft' }, text), content);
}

/** How many chunks a view asks for first. */
export { CHUNKS_AT_ONCE };
