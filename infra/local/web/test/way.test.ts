// What the speaker and the operator are told of the sound, without a browser.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Row } from '../src/api.ts';
import { wrongNow } from '../src/operator.ts';
import { codecIn, heardIn, hearing, SAYS, sent, trouble, type Way } from '../src/way.ts';

const connected: Way = { media: 'connected', addresses: 2, connectedAgoMs: 60_000, reportAgoMs: 900 };

test('the worker hears the speaker as long as it reports what it receives, and not because the connection is called connected', () => {
  assert.equal(hearing(connected), 'heard');
  assert.equal(hearing({ ...connected, reportAgoMs: 7_000 }), 'in doubt');
  assert.equal(hearing({ ...connected, media: 'disconnected' }), 'in doubt');
  assert.match(SAYS['in doubt'], /in Firefox press New session/);
  assert.equal(heardIn('in doubt', 7_000), 'in doubt, confirmed 7 s ago');
  assert.equal(heardIn('in doubt', null), 'in doubt, never confirmed');
  assert.equal(hearing({ ...connected, connectedAgoMs: 500, reportAgoMs: null }), 'not yet', 'it stands, and nothing is confirmed');
  assert.equal(hearing({ ...connected, reportAgoMs: null }), 'in doubt');
  assert.equal(hearing({ ...connected, media: 'connecting', reportAgoMs: null }), 'not yet');
});

test('a browser that finds no address to speak from says so, and what helps', () => {
  assert.equal(hearing({ media: 'new', addresses: null, connectedAgoMs: null, reportAgoMs: null }), 'not yet', 'it still looks');
  for (const media of ['new', 'connecting', 'failed'] as const) {
    assert.equal(hearing({ media, addresses: 0, connectedAgoMs: null, reportAgoMs: null }), 'no address');
  }
  assert.match(trouble('no address', ['127.0.0.1']), /media\.peerconnection\.ice\.loopback/);
  assert.equal(hearing({ media: 'failed', addresses: 3, connectedAgoMs: null, reportAgoMs: null }), 'no way');
  assert.match(trouble('no way', ['127.0.0.1', '192.0.2.7']), /127\.0\.0\.1 and 192\.0\.2\.7/);
  assert.equal(trouble('heard', []), '');
});

test('of the statistics of a browser the codec and the newest report are read', () => {
  const stats = [
    { type: 'outbound-rtp', id: 'o', codecId: 'c2' },
    { type: 'codec', id: 'c1', mimeType: 'audio/opus' },
    { type: 'codec', id: 'c2', mimeType: 'audio/red' },
    { type: 'remote-inbound-rtp', id: 'r', timestamp: 17 },
  ];
  assert.deepEqual(sent(stats), { codec: 'audio/red', reportedAt: 17 });
  assert.deepEqual(sent([]), { codec: '', reportedAt: null });
  assert.deepEqual(['audio/red', 'audio/opus', ''].map(codecIn), ['Opus with RED', 'Opus without RED', 'not yet']);
});

test('an operator is told that no sound comes, although the worker finds nothing wrong with the sound', () => {
  const row = (rtpAt: number, more = {}): Row => ({
    sessionId: 'calm-river-001', generation: 2, phase: 'Live', phaseSince: 0, why: { cause: '', text: '', at: 0 },
    worker: {
      heartbeatAt: 60_000, startUp: {}, progress: { rtpAt }, languages: {}, rung: 'full',
      media: { packets: 1, lost: 0, redRecovered: 0, fecRecovered: 0, concealedMs: 0 }, audioQuality: { packetLossPercent: 0, issues: [] }, ...more,
    },
  });
  assert.equal(wrongNow(row(59_000), 61_000), 'nothing');
  assert.equal(wrongNow(row(30_000), 61_000), 'no sound for 31 s');
  assert.equal(wrongNow({ ...row(30_000), phase: 'Paused' }, 61_000), 'nothing');
  const joined = { ...row(0, { startUp: { joinedAt: 41_000 }, progress: {} }), phase: 'WaitingForSpeaker' };
  assert.equal(wrongNow(joined, 61_000), 'no sound for 20 s', 'the next worker has heard nothing at all');
  const told = wrongNow(row(30_000, { trouble: { cause: 'noMediaPath', text: 'no way' }, audioQuality: { packetLossPercent: 9, issues: ['packet_loss'] } }), 61_000);
  assert.equal(told, 'no sound for 31 s; no way; packet loss');
});
