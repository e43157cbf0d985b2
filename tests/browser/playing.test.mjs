// Videos and sound, in place, with ranges for seeking.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { choose, enter, press, put, reads, scratch } from './page.mjs';

const SECONDS = 20;

/** A film with a tone, so large that a browser does not load all of it ahead. */
function film() {
  const path = scratch('film.webm');
  execFileSync('ffmpeg', [
    '-v', 'error', '-y',
    '-f', 'lavfi', '-i', `testsrc2=size=480x270:rate=20:duration=${SECONDS},noise=alls=60:allf=t`,
    '-f', 'lavfi', '-i', `sine=frequency=330:duration=${SECONDS}`,
    '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '16M', '-qmax', '20', '-g', '20',
    '-c:a', 'libopus', path,
  ]);
  return path;
}

const state = (page) => page.$eval('video, audio', (player) => ({
  time: player.currentTime, duration: player.duration, paused: player.paused,
  error: player.error?.message ?? null,
}));

const plays = (page, from) => page.waitForFunction(
  (from) => document.querySelector('video, audio').currentTime > from, { polling: 50 }, from);

test('a video that was uploaded plays, and plays from where it is told to', async () => {
  const path = film();
  const { size } = statSync(path);
  const page = await enter('#in=films%2F');
  await choose(page, path);
  await page.waitForSelector('li.done');
  await press(page, 'Show');

  const ranges = [];
  page.on('response', (response) => {
    const range = response.headers()['content-range'];
    if (response.url().includes('/films/film.webm')) ranges.push([response.status(), range]);
  });
  const video = await page.waitForSelector('video');
  await page.waitForFunction(() => document.querySelector('video').readyState >= 1);
  const { duration } = await state(page);
  assert.ok(Math.abs(duration - SECONDS) < 1, `${duration} s`);
  await video.click();
  await plays(page, 0.5);

  const before = ranges.length;
  await page.$eval('video', (player, to) => { player.currentTime = to; }, SECONDS - 3);
  await plays(page, SECONDS - 2.5);
  const now = await state(page);
  assert.deepEqual([now.error, now.paused], [null, false]);
  const sought = ranges.slice(before).map(([status, range]) => [status, Number(/\d+/.exec(range)?.[0])]);
  assert.ok(sought.some(([status, start]) => status === 206 && start > size / 2),
    `a range near the end was asked for: ${JSON.stringify(ranges)} of ${size}`);
  await page.waitForFunction(() => document.querySelector('video').ended, { polling: 50 });
});

test('sound plays too', async () => {
  const path = scratch('tone.opus');
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', 'sine=duration=5', '-c:a', 'libopus', path]);
  const page = await enter();
  await choose(page, path);
  await page.waitForSelector('li.done');
  await press(page, 'Show');
  await page.waitForSelector('audio');
  await page.$eval('audio', (player) => player.play());
  await plays(page, 0.3);
  assert.equal((await state(page)).error, null);
});

test('what is no video is said to be none', async () => {
  await put('/broken.webm', Buffer.from('not a film at all'), 'video/webm');
  const page = await enter('#object=broken.webm');
  await reads(page, '.stage', 'cannot play');
});
