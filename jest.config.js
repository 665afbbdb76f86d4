/** Tests are ES modules in TypeScript; types are stripped, never checked, here (`npm run check` does that). */
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  watchPathIgnorePatterns: ['<rootDir>/cdktf.out', '<rootDir>/.brokerkit'],
  modulePathIgnorePatterns: ['<rootDir>/cdktf.out', '<rootDir>/.brokerkit', '<rootDir>/.test-tools'],
}
