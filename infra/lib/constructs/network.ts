// Where workers run: public subnets without NAT (WebRTC wants a public address, and a NAT costs more than the workers), closed but for
// ICE. Table traffic stays inside through gateway endpoints, which cost nothing.
import { Validations } from 'aws-cdk-lib';
import { GatewayVpcEndpointAwsService, IpAddresses, Peer, Port, SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import type { Config } from '../config.ts';

export class Network extends Construct {
  readonly vpc: Vpc;
  readonly workers: SecurityGroup;
  readonly subnetIds: readonly string[];

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id);
    this.vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr(config.vpcCidr),
      maxAzs: 2,
      natGateways: 0,
      subnetConfiguration: [{ name: 'workers', subnetType: SubnetType.PUBLIC }],
      gatewayEndpoints: {
        DynamoDb: { service: GatewayVpcEndpointAwsService.DYNAMODB },
        S3: { service: GatewayVpcEndpointAwsService.S3 },
      },
      // It would need a custom resource with rights of its own; nothing here uses the default group.
      restrictDefaultSecurityGroup: false,
    });
    this.subnetIds = this.vpc.publicSubnets.map((subnet) => subnet.subnetId);
    this.workers = new SecurityGroup(this, 'Workers', { vpc: this.vpc, description: 'Session workers', allowAllOutbound: false });
    this.openForIce(config);
    Validations.of(this.vpc).acknowledge({
      id: 'AwsSolutions-VPC7',
      reason: 'Flow logs of media traffic cost more than they tell: loss, jitter and the chosen candidates are in the session row.',
    });
  }

  private openForIce(config: Config): void {
    const { first, last } = config.icePorts;
    // The speaker's browser never tells its candidates, so its checks arrive unasked from addresses that nobody knows beforehand.
    this.workers.addIngressRule(Peer.anyIpv4(), Port.udpRange(first, last), 'ICE from the speaker browser');
    this.workers.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'AWS APIs, signaling, TURN over TLS');
    this.workers.addEgressRule(Peer.anyIpv4(), Port.udp(443), 'STUN and TURN');
    this.workers.addEgressRule(Peer.anyIpv4(), Port.udpRange(1024, 65535), 'ICE to the speaker browser and TURN relays');
    Validations.of(this.workers).acknowledge({
      id: 'AwsSolutions-EC23',
      reason: `UDP ${first}-${last} only: speakers come from anywhere, and ICE and DTLS admit only the holder of the session's keys.`,
    });
  }
}
