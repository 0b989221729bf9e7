// Generated from ../json/asyncapi.json by `npm run generate`; do not edit.

/**
 * What a listener's application gets.
 */
export type Incoming = TranscriptionMessage | EmotionMessage | CaptionStatusMessage | SessionEndedMessage | ServiceMessage;
export type TranscriptionMessage = Caption & {
  type: 'transcription';
};
/**
 * Counts the launches of one session's worker; every write of a worker is conditional on it.
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
 * How fast the speaker is, in the product's words.
 */
export type RateClass = 'very_slow' | 'slow' | 'medium' | 'fast' | 'very_fast';
/**
 * How loud the speaker is, in the product's words.
 */
export type VolumeLevel = 'loud' | 'medium' | 'soft' | 'whisper';
export type CaptionStatusMessage = CaptionStatus & {
  type: 'captionStatus';
};
/**
 * Why listeners get less than everything.
 */
export type RungCause =
  'transcriptionInterrupted' | 'translationFails' | 'translationThrottled' | 'budgetSpent' | 'postsThrottled' | 'handover';
/**
 * How much of the service the listeners get now.
 */
export type Rung = 'full' | 'finalsOnly' | 'originalOnly' | 'paused';
export type SessionEndedMessage = SessionEnded & {
  type: 'sessionEnded';
};
/**
 * Every cause that we know. A cause that is not here is [`Cause::Unknown`]: loud, and never retried for ever.
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
 * A trouble of the sound.
 */
export type AudioIssue = 'snr_low' | 'clipping' | 'echo' | 'silence';
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
 * `segmentId`. Finals carry a `cursor`: 1, 2, 3 … per language, without a gap; a partial carries the cursor that its
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
   * The launch of the worker that says it; it rises when a worker is replaced.
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
   * The first so many words of `text` will not change.
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
 * How a segment was said. Facts of the voice only.
 */
export interface Emotion {
  /**
   * End in media time, ms.
   */
  endMs: number;
  /**
   * Rate; absent when the segment holds fewer than two words.
   */
  rate: Rate | null;
  /**
   * The segment that it speaks of.
   */
  segmentId: string;
  /**
   * The session.
   */
  sessionId: SessionId;
  /**
   * Begin in media time, ms.
   */
  startMs: number;
  /**
   * When it was posted, epoch ms.
   */
  timestamp: Timestamp;
  /**
   * Loudness; absent when the segment holds no speech.
   */
  volume: Volume | null;
}
/**
 * Speaking rate of one segment.
 */
export interface Rate {
  /**
   * The word.
   */
  classification: RateClass;
  /**
   * Words per minute, from the word times of the transcript.
   */
  wpm: number;
}
/**
 * Loudness of one segment.
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
   * What was measured: dB of `snr_low`, `echo` and `silence`, the share of clipped samples (0 to 1) of `clipping`.
   */
  value: number;
}
/**
 * Tells the speaker what becomes of their words; sent when it changes.
 */
export interface SpeakerNotice {
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
