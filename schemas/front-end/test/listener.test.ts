import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mock, test } from 'node:test';
import { Listener, stableText } from '../listener.ts';
import type { Caption, Incoming } from '../messages.ts';

const golden = (name: string): Incoming =>
  JSON.parse(readFileSync(new URL(`../../golden/${name}.json`, import.meta.url), 'utf8')) as Incoming;
const caption = (change: Partial<Caption>): Incoming => ({ ...(golden('transcription.final') as Caption), ...change, type: 'transcription' });
const listener = (shown = () => {}): Listener =>
  new Listener('wss://api/prod', { sessionId: 'blessed-shepherd-123', targetLanguage: 'es' }, shown);

test('a partial settles into its final, and the final stays', () => {
  const it = listener();
  it.take(golden('transcription.partial'));
  assert.deepEqual([...it.partials.values()].map(({ text }) => text), ['Buenos días a']);
  it.take(golden('transcription.final'));
  assert.equal(it.partials.size, 0);
  assert.deepEqual(it.finals.map(({ text }) => text), ['Buenos días a todos.']);
});

test('the part that will not change is sliced off the text, whether its words have spaces between them or not', () => {
  assert.equal(stableText(golden('transcription.characters') as Caption), '我们用𠮷野家的 Amazon');
  assert.equal(stableText(golden('transcription.partial') as Caption), 'Buenos días', 'of a worker that tells words alone');
  const none = caption({ isFinal: false, text: 'こんにちは', stableWords: 0, stableChars: 0 }) as Caption;
  assert.equal(stableText(none), '');
  assert.equal(stableText(golden('transcription.whole') as Caption), 'Buenos días a todos.', 'a final is stable, all of it');
});

test('the same sentence said twice stays twice, the same caption sent twice stays once', () => {
  const it = listener();
  for (const segmentId of ['1-1', '1-2', '1-2']) it.take(caption({ segmentId, cursor: Number(segmentId[2]), text: 'Amén.' }));
  assert.deepEqual(it.finals.map(({ segmentId }) => segmentId), ['1-1', '1-2']);
});

test('the translation of an original that was shown takes its place, once, and an old wording takes nothing', () => {
  const it = listener();
  const original = golden('transcription.degraded') as Caption & Incoming;
  it.take(original);
  it.take(caption({ segmentId: '1-8', cursor: 5 }));
  assert.deepEqual(it.finals.map(({ degraded }) => degraded), [true, false]);
  it.take(golden('transcription.revised'));
  it.take(original);
  it.take({ ...(golden('transcription.partial') as Caption), type: 'transcription', segmentId: '1-7', revision: 9 });
  assert.deepEqual(it.finals.map(({ text, degraded }) => [text, degraded]), [['Buenos días a todos.', false], ['Buenos días a todos.', false]]);
  assert.equal(it.partials.size, 0);
});

test('who comes back after an original was translated reads the translation in its place', () => {
  const it = listener();
  it.take(golden('transcription.degraded'));
  it.take({ ...(golden('transcription.revised') as Caption), type: 'transcription', revised: false, catchUp: true });
  assert.deepEqual(it.finals.map(({ text }) => text), ['Buenos días a todos.']);
});

test('who comes late reads the last sentences in their order, and a replaced worker comes after the first', () => {
  const it = listener();
  it.take(caption({ segmentId: '1-9', generation: 1, cursor: 9, catchUp: true }));
  it.take(caption({ segmentId: '1-8', generation: 1, cursor: 8, catchUp: true }));
  it.take(caption({ segmentId: '2-1', generation: 2, cursor: 1 }));
  assert.deepEqual(it.finals.map(({ segmentId }) => segmentId), ['1-8', '1-9', '2-1']);
});

test('what a worker that died had begun to say does not hang about when the next one speaks', () => {
  const it = listener();
  it.take({ ...(golden('transcription.partial') as Caption), type: 'transcription', segmentId: '1-5', generation: 1 });
  it.take({ ...(golden('transcription.partial') as Caption), type: 'transcription', segmentId: '2-1', generation: 2 });
  assert.deepEqual([...it.partials.keys()], ['2-1']);
});

test('a caption of an older worker than one that has spoken is dropped, partial or final, and the newer one counts by itself', () => {
  const it = listener();
  it.take(caption({ segmentId: '1-7', generation: 1, cursor: 7 }));
  it.take(caption({ segmentId: '2-1', generation: 2, cursor: 1, isFinal: false }));
  it.take(caption({ segmentId: '1-8', generation: 1, cursor: 8 }));
  it.take(caption({ segmentId: '1-9', generation: 1, cursor: 9, isFinal: false }));
  it.take(caption({ segmentId: '2-1', generation: 2, cursor: 1 }));
  it.take(caption({ segmentId: '2-2', generation: 2, cursor: 2 }));
  assert.deepEqual(it.finals.map(({ segmentId }) => segmentId), ['1-7', '2-1', '2-2']);
  assert.equal(it.partials.size, 0);
});

test('neither a notice nor the end is taken from an older worker than one that has spoken', () => {
  const it = listener();
  const of = (name: string, generation?: number) => ({ ...golden(name), generation }) as Incoming;
  it.take(caption({ segmentId: '2-1', generation: 2, cursor: 1 }));
  it.take(of('captionStatus', 1));
  it.take(of('sessionEnded', 1));
  assert.deepEqual([it.notice, it.over], ['', false]);
  it.take(of('captionStatus', 2));
  assert.notEqual(it.notice, '');
  it.take(of('sessionEnded', 2));
  assert.ok(it.over);
});

test('a worker that a notice has told of is newer too, and a message without a generation is taken as it comes', () => {
  const it = listener();
  it.take({ ...golden('captionStatus'), generation: 3, rung: 'full' } as Incoming);
  it.take(caption({ segmentId: '2-1', generation: 2, cursor: 1 }));
  assert.equal(it.finals.length, 0);
  const { generation: _, ...ended } = golden('sessionEnded') as Extract<Incoming, { type: 'sessionEnded' }>;
  it.take(ended as Incoming);
  assert.ok(it.over);
});

test('a notice is shown until the service is complete again', () => {
  const it = listener();
  it.take(golden('captionStatus'));
  assert.match(it.notice, /original/);
  it.take({ ...golden('captionStatus'), type: 'captionStatus', rung: 'full' } as Incoming);
  assert.equal(it.notice, '');
});

test('every golden message can be taken, and so can one that nobody knows yet', () => {
  let shown = 0;
  const it = listener(() => (shown += 1));
  for (const name of ['emotion', 'service.heartbeatAck', 'transcription.degraded', 'transcription.same-language']) it.take(golden(name));
  it.take({ type: 'somethingNew' } as unknown as Incoming);
  assert.equal(shown, 2, 'two captions, and the rest is not for the screen');
});

class Socket {
  static OPEN = 1;
  static all: Socket[] = [];
  readyState = 1;
  said: string[] = [];
  onopen = (): void => {};
  onclose = (): void => {};
  onmessage = (_: { data: string }): void => {};
  constructor(readonly url: string) {
    Socket.all.push(this);
  }
  send(text: string): void {
    this.said.push(text);
  }
  close(): void {
    this.readyState = 3;
    this.onclose();
  }
}

test('a connection that closes or falls silent is opened again and joins again, until the session ends', () => {
  mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  Object.assign(globalThis, { WebSocket: Socket });
  const it = listener();
  it.open();
  const joined = (socket: Socket) => {
    socket.onopen();
    socket.onmessage({ data: JSON.stringify(golden('service.sessionJoined')) });
    assert.deepEqual(JSON.parse(socket.said[0] ?? ''), golden('listener.joinSession'));
  };
  const last = () => Socket.all.at(-1) as Socket;
  joined(last());
  last().close();
  mock.timers.tick(1);
  assert.equal(Socket.all.length, 2, 'reopened at once');
  joined(last());
  mock.timers.tick(60_000);
  assert.deepEqual(JSON.parse(last().said[1] ?? ''), golden('listener.heartbeat'));
  mock.timers.tick(60_001);
  assert.equal(Socket.all.length, 3, 'no answer to the heartbeat');
  joined(last());
  last().onmessage({ data: JSON.stringify(golden('sessionEnded')) });
  mock.timers.tick(600_000);
  assert.equal(Socket.all.length, 3, 'the session is over');
  mock.timers.reset();
});

/** A listener whose connection is lost after it read the final with cursor 4 of generation 1, and is back. */
function back(): { it: Listener; hears: (change: Partial<Caption>) => void } {
  mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  Object.assign(globalThis, { WebSocket: Socket });
  const it = listener();
  it.open();
  const hears = (change: Partial<Caption>) => last().onmessage({ data: JSON.stringify(caption(change)) });
  joins();
  hears({ segmentId: '1-4', generation: 1, cursor: 4 });
  last().close();
  assert.equal(it.link, 'away');
  mock.timers.tick(1);
  joins();
  assert.deepEqual([it.link, it.missed], ['joined', null], 'nothing has told yet');
  return { it, hears };
}
const last = () => Socket.all.at(-1) as Socket;
const joins = () => {
  last().onopen();
  last().onmessage({ data: JSON.stringify(golden('service.sessionJoined')) });
};

test('who was away and is given what they had already has missed nothing', (t) => {
  t.after(() => mock.timers.reset());
  const { it, hears } = back();
  hears({ segmentId: '1-4', generation: 1, cursor: 4, catchUp: true });
  assert.equal(it.missed, 0);
  assert.equal(it.finals.length, 1, 'and it is not shown twice');
});

test('who was away and reads on with the next cursor has missed nothing, also if a partial came first', (t) => {
  t.after(() => mock.timers.reset());
  const { it, hears } = back();
  hears({ segmentId: '1-5', generation: 1, cursor: 5, isFinal: false });
  assert.equal(it.missed, null, 'a partial tells nothing: it carries the cursor that its final has at the earliest');
  hears({ segmentId: '1-5', generation: 1, cursor: 5, catchUp: true });
  assert.equal(it.missed, 0);
});

test('who was away for longer than the last sentences reach back is told how many are missing', (t) => {
  t.after(() => mock.timers.reset());
  const { it, hears } = back();
  hears({ segmentId: '1-9', generation: 1, cursor: 8, catchUp: true });
  hears({ segmentId: '1-10', generation: 1, cursor: 9, catchUp: true });
  assert.equal(it.missed, 3, '5, 6 and 7');
});

test('when another worker speaks by now, nobody claims that nothing was missed', (t) => {
  t.after(() => mock.timers.reset());
  const { it, hears } = back();
  hears({ segmentId: '2-1', generation: 2, cursor: 1 });
  assert.equal(it.missed, 'unknown');
});

test('who had read nothing before the connection was lost is told nothing about it', (t) => {
  t.after(() => mock.timers.reset());
  mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  Object.assign(globalThis, { WebSocket: Socket });
  const it = listener();
  it.open();
  last().close();
  mock.timers.tick(1);
  joins();
  last().onmessage({ data: JSON.stringify(caption({ cursor: 4, catchUp: true })) });
  assert.equal(it.missed, null);
});

test('a telephone that wakes up tries at once, and gives up a connection that only looks open', (t) => {
  t.after(() => mock.timers.reset());
  const { it } = back();
  const count = Socket.all.length;
  it.hurry();
  assert.deepEqual(JSON.parse(last().said[1] ?? ''), golden('listener.heartbeat'), 'it asks');
  last().onmessage({ data: JSON.stringify(golden('service.heartbeatAck')) });
  mock.timers.tick(5_000);
  assert.equal(Socket.all.length, count, 'it was answered');
  it.hurry();
  mock.timers.tick(5_001);
  assert.equal(Socket.all.length, count + 1, 'it was not');
  for (const _ of [1, 2, 3, 4]) {
    last().close();
    mock.timers.tick(2_000);
  }
  last().close();
  const waiting = Socket.all.length;
  it.hurry();
  assert.equal(Socket.all.length, waiting + 1, 'without the wait of 5 s');
});

test('who leaves is left alone', (t) => {
  t.after(() => mock.timers.reset());
  const { it } = back();
  const count = Socket.all.length;
  it.close();
  mock.timers.tick(600_000);
  assert.deepEqual([Socket.all.length, last().readyState], [count, 3]);
});

test('a choice of how to read is told at once, and again with each connection', (t) => {
  t.after(() => mock.timers.reset());
  const { it } = back();
  it.choose('stable');
  const said = () => JSON.parse(last().said.at(-1) ?? '') as unknown;
  assert.deepEqual(said(), golden('listener.joinSession.mode'));
  last().close();
  mock.timers.tick(1);
  last().onopen();
  assert.deepEqual(said(), golden('listener.joinSession.mode'));
  assert.match(last().url, /captionMode=stable/);
});
