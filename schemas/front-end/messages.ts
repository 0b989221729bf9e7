// Generated from ../json/asyncapi.json by `npm run generate`; do not edit.

/**
 * What a listener's application gets.
 */
export type Incoming = TranscriptionMessage | EmotionMessage | CaptionStatusMessage | SessionEndedMessage | ServiceMessage;
export type TranscriptionMessage = Caption & {
  type: 'transcription';
};
/**
 * Counts the workers of one session, launched or restarted within their task; every write of a worker is conditional on it.
 */
export type Generation = number;
/**
 * A language as listeners choose it: two letters, lower case (`es`).
 */
export type Language = string;
/**
 * A session. The service makes `blessed-shepherd-123`; anything that is safe in an ECS
 * `startedBy`, a KVS client id and a DynamoDB key is accepted, so a new naming scheme does not stop us.
 */
export type SessionId = string;
/**
 * A point in wall time: milliseconds since 1970-01-01T00:00:00Z.
 */
export type Timestamp = number;
export type EmotionMessage = Emotion & {
  type: 'emotion';
};
/**
 * How the speaker sounds, in a word. `neutral`, `activated`, `subdued` and `whisper` are what the sound itself tells, and `neutral`
 * may come from either source; the others only come from a model that whoever runs the service has added (`categorySource`). A word of a newer
 * release is read as [`Category::Neutral`].
 */
export type Category =
  'neutral' | 'activated' | 'subdued' | 'whisper' | 'calm' | 'happy' | 'sad' | 'angry' | 'fearful' | 'disgusted' | 'surprised' | 'bored';
/**
 * What a category was told from. A word of a newer release is read as [`CategorySource::Model`].
 */
export type CategorySource = 'prosody' | 'model';
/**
 * Why a result is to be read with care. Of a set, words of a newer release are left out.
 */
export type VoiceFlag = 'baseline_warming' | 'agc_suspected' | 'low_snr' | 'short' | 'clipped';
/**
 * What the word for a rate was decided by. A word of a newer release is read as [`RateBasis::Syllables`].
 */
export type RateBasis = 'words' | 'syllables';
/**
 * How fast the speaker is, in the product's words. A word of a newer release is read as [`RateClass::Medium`].
 */
export type RateClass = 'very_slow' | 'slow' | 'medium' | 'fast' | 'very_fast';
/**
 * How loud the speaker is, in the product's words: against their own usual level, since microphones differ. A word of a
 * newer release is read as [`VolumeLevel::Medium`].
 */
export type VolumeLevel = 'loud' | 'medium' | 'soft' | 'whisper';
export type CaptionStatusMessage = CaptionStatus & {
  type: 'captionStatus';
};
/**
 * Why listeners get less than everything. A word of a newer release is read as if it were absent.
 */
export type RungCause =
  'transcriptionInterrupted' | 'translationFails' | 'translationThrottled' | 'budgetSpent' | 'postsThrottled' | 'handover';
/**
 * How much of the service the listeners get now. A word of a newer release is read as [`Rung::Paused`]: the least is expected of such a worker.
 */
export type Rung = 'full' | 'finalsOnly' | 'originalOnly' | 'paused';
export type SessionEndedMessage = SessionEnded & {
  type: 'sessionEnded';
};
/**
 * Every cause that we know. A cause that is not here, as of a newer release, is read as [`Cause::Unknown`]: loud, and never retried for ever.
 */
export type Cause =
  | 'sessionActive'
  | 'sessionEnded'
  | 'sessionInactive'
  | 'sessionDeleted'
  | 'sessionExpired'
  | 'sessionReplaced'
  | 'sessionPaused'
  | 'operatorStop'
  | 'speakerGone'
  | 'speakerNeverCame'
  | 'maxDuration'
  | 'unsupportedLanguage'
  | 'malformedRow'
  | 'noCapacity'
  | 'throttled'
  | 'launchRefused'
  | 'launchTimedOut'
  | 'taskFailedToStart'
  | 'workerCrashed'
  | 'taskInterrupted'
  | 'heartbeatLost'
  | 'leaseLost'
  | 'drainTimedOut'
  | 'restartBudgetSpent'
  | 'handover'
  | 'stageStuck'
  | 'transcribeLimit'
  | 'noMediaPath'
  | 'unknown';
/**
 * Kinds of the session service's messages. Its `sessionEnded` is the same as ours, and may lack all fields but `type`.
 */
export type ServiceKind =
  | 'sessionJoined'
  | 'sessionCreated'
  | 'broadcastPaused'
  | 'broadcastResumed'
  | 'broadcastMuted'
  | 'broadcastUnmuted'
  | 'volumeChanged'
  | 'speakerStateChanged'
  | 'sessionStatus'
  | 'heartbeatAck'
  | 'connectionRefreshRequired'
  | 'connectionWarning'
  | 'connectionRefreshComplete'
  | 'error'
  | 'audio_quality_warning'
  | 'translatedAudio';
/**
 * What a listener's application sends.
 */
export type Outgoing = JoinSessionMessage | HeartbeatMessage;
export type JoinSessionMessage = JoinSession & {
  action: 'joinSession';
};
/**
 * How settled a text must be before a listener sees it: the listener's own choice, `captionMode` of the connection. A word of a newer release is
 * read as [`CaptionMode::Usual`].
 */
export type CaptionMode = 'usual' | 'stable' | 'fast';
export type HeartbeatMessage = Heartbeat & {
  action: 'heartbeat';
};
/**
 * What the speaker's application gets.
 */
export type IncomingSpeaker = AudioQualityWarningMessage | SpeakerNoticeMessage;
export type AudioQualityWarningMessage = AudioQualityWarning & {
  type: 'audioQualityWarning';
};
/**
 * What is wrong with the audio that comes from the speaker. In a row, words of a newer release are left out; a message about one is dropped.
 */
export type AudioIssue = 'snr_low' | 'clipping' | 'echo' | 'silence' | 'packet_loss' | 'jitter';
export type SpeakerNoticeMessage = SpeakerNotice & {
  type: 'speakerNotice';
};
/**
 * What becomes of the speaker's words.
 */
export type Notice = 'captionsPaused' | 'captionsReduced' | 'captionsComplete' | 'notHeard' | 'heardAgain';

/**
 * Both directions.
 */
export interface Contract {
  in: Incoming;
  out: Outgoing;
  speaker: IncomingSpeaker;
}
/**
 * A caption in the listener's language.
 *
 * A segment is shown first as partials, whose `revision` rises, and at last by exactly one final with the same
 * `segmentId`, which may be `revised` once. Finals carry a `cursor`: 1, 2, 3 … per language, without a gap; a partial carries the cursor that its
 * final will have at the earliest.
 */
export interface Caption {
  /**
   * True when the caption is older and sent to a listener who has just come.
   */
  catchUp: boolean;
  /**
   * Number of the final among the finals of this language and `generation`.
   */
  cursor: number;
  /**
   * True when translation failed and the original is delivered instead: `translated` is false then, and `text` is in
   * `sourceLanguage`.
   */
  degraded: boolean;
  /**
   * End of what this caption covers in media time, ms.
   */
  endMs: number;
  /**
   * The number of the worker that says it; it rises when a worker is replaced, or restarted after a crash.
   */
  generation: Generation;
  /**
   * Whether this is the segment's last word.
   */
  isFinal: boolean;
  /**
   * From the last spoken word to the post, ms.
   */
  lagMs: number;
  /**
   * The listener's language, two letters. When `degraded` is true, `text` is in `sourceLanguage` all the same.
   */
  language: Language;
  /**
   * True when this final replaces the one with the same `segmentId` that was sent before: its translation has come after all.
   * Absent otherwise.
   */
  revised?: boolean;
  /**
   * Rises with each caption of the segment, from 1.
   */
  revision: number;
  /**
   * The segment that this caption shows.
   */
  segmentId: string;
  /**
   * The session.
   */
  sessionId: SessionId;
  /**
   * The speaker's language.
   */
  sourceLanguage: Language;
  /**
   * What was said, in the speaker's language; absent when `language` is the speaker's.
   */
  sourceText: string | null;
  /**
   * The first so many UTF-16 code units of `text` will not change (`text.slice(0, stableChars)` in JavaScript). No grapheme cluster is
   * cut. Absent in captions of workers that did not tell it yet: `stableWords` counts then.
   */
  stableChars?: number | null;
  /**
   * The first so many words of `text` will not change. A word is what stands between spaces: where words have none between them, see
   * `stableChars`.
   */
  stableWords: number;
  /**
   * Begin of the segment in media time, ms since the first audio.
   */
  startMs: number;
  /**
   * The caption, in `language`.
   */
  text: string;
  /**
   * When it was posted, epoch ms.
   */
  timestamp: Timestamp;
  /**
   * Whether `text` is a translation. False in the speaker's own language, and when `degraded`.
   */
  translated: boolean;
}
/**
 * How something was said: one message per caption segment (with `segmentId`, so that a caption can be marked by it), and one
 * per second of speech (without), for a live display. Neither holds a caption up; of those that wait for a slow connection only
 * the newest is kept.
 */
export interface Emotion {
  /**
   * How excited; null unless the mode is `emotion`.
   */
  arousal: Judgement | null;
  /**
   * The word for it; null unless the mode is `emotion`.
   */
  category: Category | null;
  /**
   * 0 to 1; null with `category`.
   */
  categoryConfidence: number | null;
  /**
   * What `category` was told from; null with it.
   */
  categorySource: CategorySource | null;
  /**
   * End in media time, ms.
   */
  endMs: number;
  /**
   * Why to read all this with care; mostly empty.
   */
  flags: VoiceFlag[];
  /**
   * The number of the worker that says it; absent in messages of older workers. See the contract: the newest wins.
   */
  generation?: Generation | null;
  /**
   * How far from usual, 0 to 1, whichever way; null unless the mode is `emotion`.
   */
  intensity: number | null;
  /**
   * Pitch; null when the voice does not sound, as in a whisper.
   */
  pitch: Pitch | null;
  /**
   * Rate; null when it holds too little.
   */
  rate: Rate | null;
  /**
   * The segment that it speaks of; null when it speaks of the last second of speech.
   */
  segmentId: string | null;
  /**
   * The session.
   */
  sessionId: SessionId;
  /**
   * Speech within, ms.
   */
  speechMs: number;
  /**
   * Begin in media time, ms.
   */
  startMs: number;
  /**
   * When it was posted, epoch ms.
   */
  timestamp: Timestamp;
  /**
   * How pleasant; null unless the mode is `emotion` and whoever runs the service has added a model that says it: the measures of
   * the sound do not tell it.
   */
  valence: Judgement | null;
  /**
   * Version of this format: 1. Fields may be added to it.
   */
  version: number;
  /**
   * Loudness; null when the stretch holds no speech.
   */
  volume: Volume | null;
}
/**
 * A judgement on a scale, and how much it is to be trusted.
 */
export interface Judgement {
  /**
   * 0 to 1.
   */
  confidence: number;
  /**
   * Of arousal, 0 to 1: 0 very calm, 0.5 as usual, 1 very excited. Of valence, −1 to 1: −1 unpleasant, 0 neutral, 1 pleasant.
   */
  value: number;
}
/**
 * Pitch of the voice.
 */
export interface Pitch {
  /**
   * Median of the fundamental frequency, Hz.
   */
  hz: number;
  /**
   * How far the pitch moves: from the 20th to the 80th percentile, semitones.
   */
  rangeSemitones: number;
  /**
   * The same against the speaker's own usual pitch, semitones.
   */
  relativeSemitones: number;
}
/**
 * Speaking rate.
 */
export interface Rate {
  /**
   * What it was decided by.
   */
  basis: RateBasis;
  /**
   * The word.
   */
  classification: RateClass;
  /**
   * Syllables per second of speech, counted in the sound; null when there is too little speech to count.
   */
  syllablesPerSecond: number | null;
  /**
   * Words per minute; null where no words of the transcript are known yet, as in most live messages.
   */
  wpm: number | null;
}
/**
 * Loudness of the speech; pauses do not count.
 */
export interface Volume {
  /**
   * Root mean square of the speech, dB re full scale (a full-scale sine is −3 dBFS).
   */
  dbfs: number;
  /**
   * The word.
   */
  level: VolumeLevel;
  /**
   * The same against the speaker's own usual level, dB.
   */
  relativeDb: number;
}
/**
 * How much of the service is given now.
 */
export interface CaptionStatus {
  /**
   * Why it is not `full`; absent when it is.
   */
  cause?: RungCause | null;
  /**
   * The number of the worker that says it; absent in messages of older workers. See the contract: the newest wins.
   */
  generation?: Generation | null;
  /**
   * One sentence for people.
   */
  message: string;
  /**
   * The rung of the ladder.
   */
  rung: Rung;
  /**
   * The session.
   */
  sessionId: SessionId;
  /**
   * When it was posted, epoch ms.
   */
  timestamp: Timestamp;
}
/**
 * The session is over.
 */
export interface SessionEnded {
  /**
   * The number of the worker that says it; absent in messages of older workers. See the contract: the newest wins.
   */
  generation?: Generation | null;
  /**
   * Why.
   */
  reason: Cause;
  /**
   * The session.
   */
  sessionId: SessionId;
  /**
   * When it was posted, epoch ms.
   */
  timestamp: Timestamp;
}
/**
 * A message of the session service itself. An application ignores those that it does not need.
 */
export interface ServiceMessage {
  /**
   * For people, where there is something to say (`error`, warnings).
   */
  message?: string | null;
  /**
   * When it was sent, epoch ms.
   */
  timestamp?: Timestamp | null;
  /**
   * Which one.
   */
  type: ServiceKind;
}
/**
 * Listens to a session, or changes the language.
 */
export interface JoinSession {
  /**
   * How settled a text must be before it is shown; to be kept in the connection's row. Absent for the usual.
   */
  captionMode?: CaptionMode | null;
  /**
   * The session.
   */
  sessionId: SessionId;
  /**
   * The language to read in, two letters.
   */
  targetLanguage: Language;
}
/**
 * Keeps the connection.
 */
export interface Heartbeat {}
/**
 * Something is wrong with the sound itself. The fields that the speaker app reads today.
 */
export interface AudioQualityWarning {
  /**
   * Further numbers by name, such as the threshold.
   */
  details: {
    [k: string]: number;
  };
  /**
   * The number of the worker that says it; absent in messages of older workers. See the contract: the newest wins.
   */
  generation?: Generation | null;
  /**
   * What is wrong.
   */
  issue: AudioIssue;
  /**
   * One sentence for people: what is wrong and what helps.
   */
  message: string;
  /**
   * The session.
   */
  sessionId: SessionId;
  /**
   * When it was noticed, epoch ms.
   */
  timestamp: Timestamp;
  /**
   * What was measured: dB of `snr_low` and `echo`, hundredths of `clipping` and `packet_loss`, seconds of `silence`, ms of `jitter`.
   */
  value: number;
}
/**
 * Tells the speaker what becomes of their words; sent when it changes.
 */
export interface SpeakerNotice {
  /**
   * The number of the worker that says it; absent in messages of older workers. See the contract: the newest wins.
   */
  generation?: Generation | null;
  /**
   * One sentence for people.
   */
  message: string;
  /**
   * What is so now.
   */
  notice: Notice;
  /**
   * The session.
   */
  sessionId: SessionId;
  /**
   * When it was noticed, epoch ms.
   */
  timestamp: Timestamp;
}
