// What we remember: one row per session and one kept row per past launch. Names are those of the crate `schemas` (table.rs).
import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, ProjectionType, StreamViewType, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import type { Config } from '../config.ts';

/** The index of rows that somebody must look at again: keys alone, in shards, and untouched by heartbeats. */
export const BY_SHARD = 'byShard';
/** The same of older releases: one key value, every attribute. */
export const BY_DUE = 'byDue';

export class State extends Construct {
  readonly table: Table;

  constructor(scope: Construct, id: string, private readonly config: Config) {
    super(scope, id);
    this.table = new Table(this, 'Table', {
      tableName: `SessionWorkers-${config.environment}`,
      partitionKey: { name: 'sessionId', type: AttributeType.STRING },
      sortKey: { name: 'record', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.DEFAULT,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      timeToLiveAttribute: 'ttl',
      // What wakes the controller of it is filtered by its mapping; a heartbeat costs no invocation, and reads by Lambda cost nothing.
      stream: StreamViewType.NEW_AND_OLD_IMAGES,
      deletionProtection: config.retain,
      removalPolicy: config.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    // A deployed stack goes from the old index over both to the new one: CloudFormation makes or drops one index at a time.
    if (config.openIndex !== 'new') {
      this.table.addGlobalSecondaryIndex({
        indexName: BY_DUE,
        partitionKey: { name: 'open', type: AttributeType.STRING },
        sortKey: { name: 'nextLookAt', type: AttributeType.NUMBER },
        projectionType: ProjectionType.ALL,
      });
    }
    if (config.openIndex !== 'old') {
      this.table.addGlobalSecondaryIndex({
        indexName: BY_SHARD,
        partitionKey: { name: 'shard', type: AttributeType.STRING },
        sortKey: { name: 'nextLookAt', type: AttributeType.NUMBER },
        projectionType: ProjectionType.KEYS_ONLY,
      });
    }
  }

  /** The ARN of the table's stream. */
  get streamArn(): string {
    return this.table.tableStreamArn ?? '';
  }

  /** The names of the indexes that there are. */
  get indexes(): readonly string[] {
    return { old: [BY_DUE], both: [BY_DUE, BY_SHARD], new: [BY_SHARD] }[this.config.openIndex];
  }

  /** Their ARNs. */
  get indexArns(): string[] {
    return this.indexes.map((name) => `${this.table.tableArn}/index/${name}`);
  }
}
