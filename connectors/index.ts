import type { Connector } from '../engine/contracts/connector.ts';
import { amplitude } from './amplitude/index.ts';
import { anaplan } from './anaplan/index.ts';
import { asana } from './asana/index.ts';
import { azureBlob } from './azure-blob/index.ts';
import { bigquery } from './bigquery/index.ts';
import { braze } from './braze/index.ts';
import { databricks } from './databricks/index.ts';
import { duckdb } from './duckdb/index.ts';
import { facebook } from './facebook/index.ts';
import { folder } from './folder/index.ts';
import { gcs } from './gcs/index.ts';
import { googleAds } from './google-ads/index.ts';
import { hubspot } from './hubspot/index.ts';
import { intercom } from './intercom/index.ts';
import { iterable } from './iterable/index.ts';
import { jira } from './jira/index.ts';
import { mailchimp } from './mailchimp/index.ts';
import { microsoftAds } from './microsoft-ads/index.ts';
import { mixpanel } from './mixpanel/index.ts';
import { mongodb } from './mongodb/index.ts';
import { mysql } from './mysql/index.ts';
import { netsuite } from './netsuite/index.ts';
import { postgres } from './postgres/index.ts';
import { redshift } from './redshift/index.ts';
import { s3 } from './s3/index.ts';
import { salesforce } from './salesforce/index.ts';
import { sendgrid } from './sendgrid/index.ts';
import { sfmc } from './sfmc/index.ts';
import { sftp } from './sftp/index.ts';
import { smtp } from './smtp/index.ts';
import { snapchat } from './snapchat/index.ts';
import { snowflake } from './snowflake/index.ts';
import { tiktok } from './tiktok/index.ts';
import { webhook } from './webhook/index.ts';
import { zendesk } from './zendesk/index.ts';

/** Every kind of source and destination, in the order in which a person is offered them. */
export const connectors = [
  postgres,
  webhook,
  amplitude,
  anaplan,
  asana,
  azureBlob,
  bigquery,
  braze,
  databricks,
  duckdb,
  facebook,
  folder,
  gcs,
  googleAds,
  hubspot,
  iterable,
  intercom,
  jira,
  mailchimp,
  microsoftAds,
  mixpanel,
  mongodb,
  mysql,
  netsuite,
  redshift,
  s3,
  salesforce,
  sendgrid,
  sfmc,
  sftp,
  smtp,
  snapchat,
  snowflake,
  tiktok,
  zendesk,
] as const satisfies readonly Connector[];
