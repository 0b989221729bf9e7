// One grant, with its reason. A wildcard that AWS leaves no way around says why beside itself, and acknowledges only itself.
import { Stack, Validations } from 'aws-cdk-lib';
import { PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';

export interface Grant {
  readonly sid: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Why a `*` in the resources cannot be narrower. Required when there is one. */
  readonly wildcard?: string;
}

/** Adds the statement to the role. */
export function allow(role: Role, grant: Grant): void {
  role.addToPolicy(
    new PolicyStatement({
      sid: grant.sid,
      actions: [...grant.actions],
      resources: [...grant.resources],
      ...(grant.conditions === undefined ? {} : { conditions: grant.conditions }),
    }),
  );
  for (const resource of grant.resources) {
    const flat = flatten(role, resource);
    if (!flat.includes('*')) continue;
    if (grant.wildcard === undefined) throw new Error(`grant ${grant.sid}: ${flat} is a wildcard without a reason`);
    Validations.of(role).acknowledge({ id: `AwsSolutions-IAM5[Resource::${flat}]`, reason: grant.wildcard });
  }
}

/** The resource as cdk-nag names it: references as `<LogicalId.Attribute>`. */
function flatten(role: Role, resource: string): string {
  const resolved: unknown = Stack.of(role).resolve(resource);
  return typeof resolved === 'string' ? resolved : text(resolved);
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return String(value);
  const [name, argument] = Object.entries(value)[0] ?? ['', ''];
  if (name === 'Ref') return `<${String(argument)}>`;
  if (name === 'Fn::GetAtt' && Array.isArray(argument)) return `<${argument.join('.')}>`;
  if (name === 'Fn::Join' && Array.isArray(argument)) return (argument[1] as unknown[]).map(text).join(String(argument[0]));
  return JSON.stringify(value);
}
