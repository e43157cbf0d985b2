// What interrupts: asking for the token, asking whether to delete, links to give away.

import { h, tell } from './dom.js';
import { link, setToken, takes } from './server.js';

/** Shows a dialog until `close` is called; gives what it was called with. */
function show(make, { escapable = true } = {}) {
  return new Promise((resolve) => {
    const dialog = h('dialog');
    const close = (value) => {
      dialog.close();
      dialog.remove();
      resolve(value);
    };
    dialog.append(make(close));
    dialog.addEventListener('cancel', (event) => {
      event.preventDefault();
      if (escapable) close();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

const submits = (act) => (event) => {
  event.preventDefault();
  act();
};

/** Asks for the token until the server takes it; keeps it. */
export async function askForToken(refused) {
  await show((close) => {
    const field = h('input', {
      id: 'token', type: 'password', autocomplete: 'current-password', required: true,
      spellcheck: 'false', autofocus: true, 'aria-describedby': 'token-wrong',
    });
    const wrong = h('p', { id: 'token-wrong', class: 'wrong', role: 'alert' },
      refused ? 'The server does not take the token any more.' : '');
    const enter = async () => {
      const token = field.value.trim();
      wrong.textContent = '';
      try {
        if (!/^[\w.~+/-]+=*$/.test(token)) {
          wrong.textContent = 'A token holds letters, digits and -._~+/ only.';
        } else if (await takes(token)) {
          setToken(token);
          close();
        } else {
          wrong.textContent = 'That is not the token of this server.';
        }
      } catch (error) {
        wrong.textContent = error.message;
      }
      field.select();
    };
    return h('form', { onsubmit: submits(enter) },
      h('h2', {}, 'This store is locked'),
      h('p', {}, 'Give the token that the server was started with. It is kept until this tab is closed.'),
      h('label', { for: 'token' }, 'Token'), field, wrong,
      h('div', { class: 'actions' }, h('button', { class: 'main' }, 'Unlock')));
  }, { escapable: false });
}

/** Asks before something that cannot be undone. */
export function confirm(title, text, action) {
  return show((close) => h('form', { onsubmit: submits(() => close(true)) },
    h('h2', {}, title), h('p', {}, text),
    h('div', { class: 'actions' },
      h('button', { type: 'button', autofocus: true, onclick: () => close(false) }, 'Cancel'),
      h('button', { class: 'danger' }, action))));
}

/** Puts text on the clipboard, or shows it to be copied by hand. */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    tell(`${what} copied`);
  } catch {
    // Browsers let pages write to it that came by HTTPS, or from this machine, and only
    // shortly after a click.
    await show((close) => {
      const field = h('input', { type: 'text', readonly: true, value: text, autofocus: true, 'aria-label': what });
      field.addEventListener('focus', () => field.select());
      return h('form', { onsubmit: submits(() => close()) },
        h('h2', {}, what), h('p', {}, 'Copy it from here:'), field,
        h('div', { class: 'actions' }, h('button', { class: 'main' }, 'Close')));
    });
  }
}

const LIVES = [['1 hour', 3600], ['1 day', 24 * 3600], ['1 week', 7 * 24 * 3600]];

/** Gives a link to an object away. */
export async function share(key) {
  const { url, expires } = await link(key);
  if (!expires) return copy(url, 'Link');
  return show((close) => {
    const choices = LIVES.map(([text, seconds], i) => h('label', { class: 'choice' },
      h('input', { type: 'radio', name: 'life', value: seconds, checked: i === 1 }), text));
    const form = h('form', {
      onsubmit: submits(async () => {
        try {
          const signed = await link(key, new FormData(form).get('life'));
          close();
          await copy(signed.url, 'Link');
        } catch (error) {
          form.querySelector('.wrong').textContent = error.message;
        }
      }),
    },
    h('h2', {}, 'Copy a link'),
    h('p', {}, 'Whoever has the link can read this object, and nothing else, for'),
    h('fieldset', { class: 'choices', 'aria-label': 'How long the link is good' }, choices),
    h('p', { class: 'wrong', role: 'alert' }),
    h('div', { class: 'actions' },
      h('button', { type: 'button', onclick: () => close() }, 'Cancel'),
      h('button', { class: 'main' }, 'Copy link')));
    return form;
  });
}
