// Log queries that operators would otherwise write at 3 a.m. Fields are those of the binaries' JSON lines and of the metric lines.

/** One saved query of CloudWatch Logs Insights. */
export interface Query {
  readonly name: string;
  readonly of: readonly ('controller' | 'worker')[];
  readonly text: string;
}

const SESSION = 'coalesce(sessionId, `span.sessionId`, session, `spans.1.session`)';

export const QUERIES: readonly Query[] = [
  {
    name: 'one session, both sides',
    of: ['controller', 'worker'],
    text: `fields @timestamp, level, coalesce(event, message) as what, coalesce(detail, why, error) as how
| filter ${SESSION} = 'PUT-THE-SESSION-ID-HERE' and not ispresent(\`_aws.Timestamp\`)
| sort @timestamp asc
| limit 1000`,
  },
  {
    name: 'what went wrong',
    of: ['controller', 'worker'],
    text: `fields @timestamp, level, ${SESSION} as of, coalesce(event, message) as what, coalesce(error, detail, why) as how
| filter level in ['WARN', 'ERROR']
| sort @timestamp desc
| limit 200`,
  },
  {
    name: 'decisions and their reasons',
    of: ['controller'],
    text: `fields @timestamp, session, cause, why, actions
| filter message = 'decided'
| sort @timestamp desc
| limit 200`,
  },
  {
    name: 'late captions by session and language',
    of: ['worker'],
    text: `filter ispresent(LagP95)
| stats max(LagP95) as slowest, avg(LagP50) as median by sessionId, Language
| sort slowest desc
| limit 50`,
  },
  {
    name: 'stuck or degraded workers',
    of: ['worker'],
    text: `filter LongestWait > 10000 or Degraded = 1
| stats max(LongestWait) as waited, sum(Degraded) as minutesDegraded by sessionId
| sort waited desc
| limit 50`,
  },
  {
    name: 'what sessions used',
    of: ['worker'],
    text: `filter ispresent(TranscribedSeconds)
| stats sum(TranscribedSeconds) as seconds, sum(TranslatedCharacters) as characters, sum(Posts) as posts, sum(PostsFailed) as failed by sessionId
| sort seconds desc
| limit 100`,
  },
];
