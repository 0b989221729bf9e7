// CloudWatch's rule for one alarm, over numbers: statistic per period, expression, threshold, M of N, and what no number means.
// Only what the alarms of this stack use; anything else is refused, so that no alarm is proved by a rule that ignores half of it.

export interface AlarmProperties {
  readonly AlarmName: string;
  readonly AlarmDescription: string;
  readonly ComparisonOperator: string;
  readonly Threshold: number;
  readonly EvaluationPeriods: number;
  readonly DatapointsToAlarm: number;
  readonly TreatMissingData: 'notBreaching' | 'breaching';
  readonly AlarmActions?: readonly unknown[];
  readonly Namespace?: string;
  readonly MetricName?: string;
  readonly Dimensions?: readonly Dimension[];
  readonly Statistic?: string;
  readonly Period?: number;
  readonly Metrics?: readonly MetricQuery[];
}

export interface Dimension {
  readonly Name: string;
  readonly Value: unknown;
}

export interface MetricQuery {
  readonly Id: string;
  readonly Expression?: string;
  readonly ReturnData?: boolean;
  readonly Period?: number;
  readonly MetricStat?: {
    readonly Metric: { readonly Namespace: string; readonly MetricName: string; readonly Dimensions?: readonly Dimension[] };
    readonly Period: number;
    readonly Stat: string;
  };
}

/** What was told: by `namespace/name`, the values of each minute, the oldest first. A minute without values is one in which nothing was told. */
export type Told = Readonly<Record<string, readonly (readonly number[])[]>>;

/** Quotas that SERVICE_QUOTA() gives, by metric. */
export type Quotas = Readonly<Record<string, number>>;

/** Whether the alarm is in ALARM at the end of what was told. */
export function isInAlarm(alarm: AlarmProperties, told: Told, quotas: Quotas = {}): boolean {
  const points = alarm.Metrics === undefined ? ofMetric(alarm, told) : ofExpression(alarm, told, quotas);
  const looked = points.slice(-alarm.EvaluationPeriods);
  while (looked.length < alarm.EvaluationPeriods) looked.unshift(undefined);
  const breaching = looked.filter((point) => (point === undefined ? alarm.TreatMissingData === 'breaching' : breaches(alarm, point)));
  return breaching.length >= alarm.DatapointsToAlarm;
}

function breaches({ ComparisonOperator: operator, Threshold: threshold }: AlarmProperties, value: number): boolean {
  switch (operator) {
    case 'GreaterThanOrEqualToThreshold': return value >= threshold;
    case 'GreaterThanThreshold': return value > threshold;
    case 'LessThanThreshold': return value < threshold;
    default: throw new Error(`${operator} is not imitated`);
  }
}

function ofMetric(alarm: AlarmProperties, told: Told): (number | undefined)[] {
  const { Namespace, MetricName, Statistic, Period } = alarm;
  if (Statistic === undefined || Period === undefined) throw new Error(`${alarm.AlarmName}: no statistic`);
  return periods(told[`${Namespace}/${MetricName}`] ?? [], Statistic, Period);
}

function ofExpression(alarm: AlarmProperties, told: Told, quotas: Quotas): (number | undefined)[] {
  const queries = alarm.Metrics ?? [];
  const result = queries.find((query) => query.ReturnData !== false);
  if (result?.Expression === undefined) throw new Error(`${alarm.AlarmName}: no expression is returned`);
  const series = new Map(queries.flatMap(({ Id, MetricStat }) => {
    if (MetricStat === undefined) return [];
    const key = `${MetricStat.Metric.Namespace}/${MetricStat.Metric.MetricName}`;
    return [[Id, { key, points: periods(told[key] ?? [], MetricStat.Stat, MetricStat.Period) }] as const];
  }));
  const length = Math.max(0, ...[...series.values()].map(({ points }) => points.length));
  return Array.from({ length }, (_, at) => {
    const values = new Map([...series].map(([id, { key, points }]) => [id, { value: points[at - length + points.length], quota: quotas[key] }]));
    return calculate(result.Expression ?? '', values);
  });
}

/** Numbers, the four operations, FILL(metric, number) and SERVICE_QUOTA(metric). A metric without a number gives none, and so does a division by zero. */
function calculate(expression: string, values: ReadonlyMap<string, { readonly value: number | undefined; readonly quota: number | undefined }>): number | undefined {
  const of = (id: string): { value: number | undefined; quota: number | undefined } => {
    const found = values.get(id);
    if (found === undefined) throw new Error(`${expression}: ${id} is no metric of the alarm`);
    return found;
  };
  const text = expression
    .replace(/FILL\((\w+), *(\d+)\)/g, (_, id: string, number: string) => String(of(id).value ?? number))
    .replace(/SERVICE_QUOTA\((\w+)\)/g, (_, id: string) => String(of(id).quota))
    .replace(/\b[a-z]\w*\b/g, (id) => (id === 'undefined' ? id : String(of(id).value)));
  if (text.includes('undefined')) return undefined;
  if (!/^[\d.e+\-*/() ]+$/.test(text)) throw new Error(`${expression} is not imitated`);
  const value = Number(new Function(`return ${text}`)());
  return Number.isFinite(value) ? value : undefined;
}

function periods(minutes: readonly (readonly number[])[], statistic: string, seconds: number): (number | undefined)[] {
  const each = seconds / 60;
  const points: (number | undefined)[] = [];
  for (let end = minutes.length; end > 0; end -= each) points.unshift(statisticOf(minutes.slice(Math.max(0, end - each), end).flat(), statistic));
  return points;
}

function statisticOf(values: readonly number[], statistic: string): number | undefined {
  if (values.length === 0) return undefined;
  const sum = values.reduce((a, b) => a + b, 0);
  switch (statistic) {
    case 'Sum': return sum;
    case 'Average': return sum / values.length;
    case 'Maximum': return Math.max(...values);
    case 'Minimum': return Math.min(...values);
    case 'SampleCount': return values.length;
    default: throw new Error(`${statistic} is not imitated`);
  }
}
