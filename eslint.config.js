import svelte from 'eslint-plugin-svelte';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['node_modules/**', 'dist/**', 'core/cpu/interp/assembly/**', '**/generated/**', '.cache/**', '**/*.mjs', '**/*.cjs', '**/*.js'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { project: ['./tsconfig.node.json', './tsconfig.electron.json', './tsconfig.preload.json', './tsconfig.renderer.json', './tsconfig.e2e.json'], tsconfigRootDir: import.meta.dirname } },
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
  ...svelte.configs.recommended.map((config) => ({ ...config, files: ['renderer/**/*.svelte'] })),
  {
    // Types inside components are svelte-check's; rules here need none, which keeps lint quick.
    files: ['renderer/**/*.svelte'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: { parserOptions: { parser: tseslint.parser, extraFileExtensions: ['.svelte'], project: null, svelteFeatures: { runes: true } } },
  },
  {
    files: ['renderer/**/*.svelte'],
    // A component's props and snippets are typed where they are declared.
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'off', 'svelte/no-navigation-without-resolve': 'off', 'svelte/prefer-svelte-reactivity': 'off' },
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
