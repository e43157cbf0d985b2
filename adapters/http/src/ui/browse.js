// Objects and folders below a prefix.

import { confirm, share } from './dialogs.js';
import { button, h, icon, notice, tell } from './dom.js';
import { ago, bytes, exactly, kind, nameOf } from './format.js';
import * as server from './server.js';
import { add } from './uploads.js';

/** The address of a folder in this page. */
export const folderHref = (prefix) => (prefix ? `#in=${encodeURIComponent(prefix)}` : '#');

/** The address of an object in this page. */
export const objectHref = (key) => `#object=${encodeURIComponent(key)}`;

/** The way from the beginning to a folder or an object. */
export function breadcrumbs(path) {
  const parts = path.match(/[^/]*\/|[^/]+$/g) ?? [];
  const items = [h('li', {}, h('a', { href: '#', 'aria-current': path ? null : 'page' }, 'All objects'))];
  let prefix = '';
  parts.forEach((part, i) => {
    prefix += part;
    const text = part.replace(/\/$/, '') || '/';
    const last = i + 1 === parts.length;
    items.push(h('li', {}, last
      ? h('span', { 'aria-current': 'page' }, text)
      : h('a', { href: folderHref(prefix) }, text)));
  });
  return h('nav', { class: 'crumbs', 'aria-label': 'Where this is' }, h('ol', {}, items));
}

/** Deletes an object if its user means it; whether it is gone. */
export async function removeObject(key) {
  const text = `${key} will be gone for everybody who reads this store.`;
  if (!await confirm(`Delete ${nameOf(key)}?`, text, 'Delete')) return false;
  await server.remove(key);
  tell(`${nameOf(key)} is deleted`);
  return true;
}

/** Shows what lies below a prefix in `view`; gives a function that shows it afresh. */
export function browse(view, prefix, { signal, writable }) {
  const body = h('tbody');
  const empty = h('div', { class: 'empty', hidden: true });
  const more = button('Show more', null, () => load(), { class: 'more', hidden: true });
  const search = h('input', {
    type: 'search', placeholder: 'Name begins with …', 'aria-label': 'Names that begin with',
    spellcheck: 'false', autocomplete: 'off',
  });
  const picker = h('input', { type: 'file', multiple: true, hidden: true, id: 'files' });
  picker.addEventListener('change', () => {
    add(picker.files, prefix);
    picker.value = '';
  });
  const choose = () => picker.click();
  const table = h('table', {},
    h('thead', {}, h('tr', {}, ...['Name', 'Size', 'Modified'].map((title) =>
      h('th', { scope: 'col', class: title.toLowerCase() }, title)),
    h('th', { scope: 'col', class: 'act' }, h('span', { class: 'unseen' }, 'Actions')))), body);
  view.replaceChildren(
    h('div', { class: 'head' }, breadcrumbs(prefix),
      h('div', { class: 'tools' }, h('label', { class: 'search' }, icon('search'), search),
        writable && button('Upload', 'upload', choose, { class: 'main' }),
        writable && picker)),
    h('div', { class: 'card list' }, table, empty, more));

  let cursor = null;
  let turn = 0;

  async function load({ afresh = false } = {}) {
    const mine = afresh ? ++turn : turn;
    view.setAttribute('aria-busy', 'true');
    try {
      const wanted = prefix + search.value;
      const page = await server.list(wanted, afresh ? null : cursor, signal);
      if (mine !== turn) return;
      if (afresh) body.replaceChildren();
      body.append(...page.prefixes.map(folderRow), ...page.objects.map(objectRow));
      cursor = page.cursor;
      more.hidden = !cursor;
      showEmpty(body.children.length === 0 && !cursor);
      notice(null);
    } catch (error) {
      if (error.name !== 'AbortError') notice(error);
    } finally {
      view.removeAttribute('aria-busy');
    }
  }

  function showEmpty(isEmpty) {
    table.hidden = isEmpty;
    empty.hidden = !isEmpty;
    if (!isEmpty) return;
    if (search.value) {
      empty.replaceChildren(h('p', {}, `Nothing here begins with “${search.value}”.`));
      return;
    }
    empty.replaceChildren(icon('upload'),
      h('p', { class: 'big' }, prefix ? 'Nothing in here yet' : 'Nothing stored yet'),
      h('p', {}, writable ? 'Drop files anywhere on this page, or choose some.'
        : 'This server takes no writes.'),
      writable ? button('Choose files', null, choose, { class: 'main' }) : '');
  }

  function folderRow(folder) {
    const name = folder.slice(prefix.length);
    return h('tr', {}, h('td', { class: 'name' },
      h('a', { href: folderHref(folder) }, icon('folder'), h('span', {}, name))),
    h('td', { class: 'size' }), h('td', { class: 'modified' }), h('td', { class: 'act' }));
  }

  function objectRow({ key, summary, info }) {
    const known = summary ?? info;
    const row = h('tr', {}, h('td', { class: 'name' },
      h('a', { href: objectHref(key) }, icon(kind(key, known?.['content-type'])),
        h('span', {}, key.slice(prefix.length)))),
    h('td', { class: 'size' }, known ? bytes(known.size) : '?'),
    h('td', { class: 'modified', title: known && exactly(known.modified) },
      known ? ago(known.modified) : ''),
    h('td', { class: 'act' },
      button(`Copy a link to ${key}`, 'link', () => share(key).catch(notice), { quiet: true }),
      writable && button(`Delete ${key}`, 'delete', () => remove(key, row), { quiet: true })));
    return row;
  }

  async function remove(key, row) {
    try {
      if (!await removeObject(key)) return;
      row.remove();
      showEmpty(body.children.length === 0 && !cursor);
    } catch (error) {
      notice(error);
    }
  }

  let typed;
  search.addEventListener('input', () => {
    clearTimeout(typed);
    typed = setTimeout(() => load({ afresh: true }), 200);
  });
  const afresh = () => load({ afresh: true });
  afresh();
  return afresh;
}
