/**
 * Which folder may import which. A roof (`main.ts`, `start.ts` and the command-line entries) may import
 * anything, and nothing may import it but another roof.
 */
const roof = '^(bot|engine)/(main|start|roof|web|commands|cli|docs|build|migrate)\\.ts$';

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'nobody-imports-a-roof',
      severity: 'error',
      from: { pathNot: `${roof}|^bot/activate\\.mjs$|^test/|^bench/` },
      to: { path: roof },
    },
    {
      name: 'contracts-are-a-leaf',
      severity: 'error',
      from: { path: '^engine/contracts/' },
      to: { path: '^(bot|commands|connectors|engine/(?!contracts/))|^node_modules/(?!zod)' },
    },
    {
      name: 'engine-knows-nobody',
      severity: 'error',
      from: { path: '^engine/', pathNot: roof },
      to: { path: '^(bot|commands|connectors)/' },
    },
    {
      name: 'connectors-know-contracts-only',
      severity: 'error',
      from: { path: '^connectors/' },
      to: { path: '^(bot|commands|engine/(?!contracts/))' },
    },
    {
      name: 'connectors-are-strangers',
      severity: 'error',
      from: { path: '^connectors/([^/.]+)', pathNot: '^connectors/index\\.ts$' },
      to: { path: '^connectors/', pathNot: '^connectors/($1|shared/)' },
    },
    {
      name: 'commands-know-engine-only',
      severity: 'error',
      from: { path: '^commands/' },
      to: { path: '^(bot|connectors)/' },
    },
    {
      name: 'bot-knows-contracts-only',
      severity: 'error',
      from: { path: '^bot/', pathNot: roof },
      to: { path: '^(commands|connectors|engine/(?!contracts/))' },
    },
    {
      name: 'platforms-are-strangers',
      severity: 'error',
      from: { path: '^bot/(slack|teams|mattermost|local)/' },
      to: { path: '^bot/(slack|teams|mattermost|local)/', pathNot: '^bot/$1/' },
    },
    {
      name: 'no-tests-in-production',
      severity: 'error',
      from: { pathNot: '^(test|bench)/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'bullmq-in-one-file',
      severity: 'error',
      from: { pathNot: '^engine/queue\\.ts$|^test/|^bench/' },
      to: { path: '^node_modules/bullmq' },
    },
    {
      name: 'pg-in-three-files',
      severity: 'error',
      from: {
        pathNot:
          '^engine/store/(db|embedded)\\.ts$|^connectors/(postgres|redshift)/|^test/|^bench/|^engine/demo/',
      },
      to: { path: '^node_modules/pg/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
