// Numbers, times and kinds for people. Pure.

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `1234` as `1.21 KiB`; `1` as `1 byte`. */
export function bytes(count) {
  if (count === 1) return '1 byte';
  let unit = 0;
  while (count >= 1024 && unit + 1 < UNITS.length) {
    count /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || Number.isInteger(count) ? 0 : count < 10 ? 2 : count < 100 ? 1 : 0;
  return `${count.toFixed(digits)} ${UNITS[unit]}`;
}

/** Seconds as `4 s`, `3 min`, `2 h 10 min`, `3 days`. */
export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 100) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.round(hours / 24)} days`;
}

const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** A time in milliseconds since the Unix epoch: how long ago, or the date. */
export function ago(ms, now = Date.now()) {
  const seconds = (now - ms) / 1000;
  if (seconds < 45) return 'just now';
  if (seconds < 5400) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  return DATE.format(ms);
}

/** The same time to the second. */
export function exactly(ms) {
  return EXACT.format(ms);
}

/** A count of things: `1 chunk`, `2 chunks`. */
export function counted(count, what) {
  return `${count.toLocaleString()} ${what}${count === 1 ? '' : 's'}`;
}

// What browsers leave without a type, or name in ways of their own.
const TYPES = {
  mp4: 'video/mp4', m4v: 'video/mp4', webm: 'video/webm', mkv: 'video/x-matroska',
  mov: 'video/quicktime', ogv: 'video/ogg', ts: 'video/mp2t', mp3: 'audio/mpeg',
  m4a: 'audio/mp4', ogg: 'audio/ogg', opus: 'audio/ogg', oga: 'audio/ogg', wav: 'audio/wav',
  flac: 'audio/flac', jpg: 'image/jpeg', jpeg: 'image/jpeg', png: 'image/png', gif: 'image/gif',
  webp: 'image/webp', avif: 'image/avif', svg: 'image/svg+xml', txt: 'text/plain',
  md: 'text/markdown', csv: 'text/csv', log: 'text/plain', json: 'application/json',
  pdf: 'application/pdf', zip: 'application/zip', gz: 'application/gzip',
  wasm: 'application/wasm', tar: 'application/x-tar', yaml: 'application/yaml',
  yml: 'application/yaml', toml: 'application/toml', rs: 'text/plain',
};

const TEXTS = /^(text\/|application\/(json|xml|yaml|toml|javascript|x-sh|[a-z.-]+\+(json|xml))(;|$))/;

/** The media type that a name suggests; '' if none. */
export function typeOfName(name) {
  const end = /\.([a-z0-9]+)$/i.exec(name);
  return (end && TYPES[end[1].toLowerCase()]) || '';
}

/** How an object can be shown: `video`, `audio`, `image`, `text` or `other`. */
export function kind(key, type) {
  const known = type && !type.startsWith('application/octet-stream') ? type : typeOfName(key);
  const family = /^(video|audio|image)\//.exec(known);
  if (family) return family[1];
  return TEXTS.test(known) ? 'text' : 'other';
}

/** The last part of a key. */
export function nameOf(key) {
  return key.slice(key.lastIndexOf('/', key.length - 2) + 1);
}
