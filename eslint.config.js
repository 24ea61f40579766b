import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['node_modules/**', 'dist/**', 'core/cpu/interp/assembly/**', '**/generated/**', '.cache/**', '**/*.svelte', '**/*.mjs', '**/*.cjs', '**/*.js'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { project: ['./tsconfig.node.json', './tsconfig.electron.json', './tsconfig.preload.json'], tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/require-await': 'off',
      'no-restricted-properties': ['error', { object: 'koffi', property: 'view', message: 'External buffers are refused inside Electron.' }],
    },
  },
  {
    // Time and randomness enter the machine in one place only, or recorded runs would not repeat.
    files: ['core/{base,memory,bus,cpu,devices,firmware,machine}/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        { selector: "MemberExpression[object.name='Date'][property.name='now']", message: 'Read time from the injected clock.' },
        { selector: "MemberExpression[object.name='performance'][property.name='now']", message: 'Read time from the injected clock.' },
        { selector: "MemberExpression[object.name='Math'][property.name='random']", message: "Use the machine's random stream." },
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Read time from the injected clock.' },
      ],
    },
  },
);
