import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

const noLab = {
  patterns: [{ group: ['@jupyterlab/*'], message: 'The engine knows nothing of JupyterLab.' }]
};

export default tseslint.config(
  { ignores: ['lib/', 'node_modules/'] },
  eslint.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: ['src/**/*.ts', 'tests/**/*.ts'],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: [] },
        tsconfigRootDir: import.meta.dirname
      }
    },
    rules: {
      eqeqeq: 'error',
      'no-console': ['error', { allow: ['warn', 'error'] }],
      '@typescript-eslint/explicit-function-return-type': ['error', { allowExpressions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }
      ]
    }
  },
  {
    files: [
      'src/{automerge,connectionWatch,dirtyMark,frames,memoryTransport,notebookDocument,outputs,position,requests,room,runtimeDocument}.ts',
      'src/{sequence,status,syncEngine,syncMessage,transport}.ts',
      'src/bridge/*.ts'
    ],
    rules: { 'no-restricted-imports': ['error', noLab] }
  },
  {
    // Automerge has one door.
    files: ['src/**/*.ts'],
    ignores: ['src/automerge.ts', 'src/plugins/rooms.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ImportDeclaration[source.value=/^@automerge/]',
          message: 'Only automerge.ts talks to Automerge.'
        }
      ]
    }
  },
  {
    // node's test() gives a promise that nobody has to wait for.
    files: ['tests/**/*.ts'],
    rules: { '@typescript-eslint/no-floating-promises': 'off' }
  },
  {
    files: ['src/index.ts'],
    rules: { 'max-lines': ['error', 40] }
  },
  {
    files: ['**/*.mjs'],
    languageOptions: { globals: { console: 'readonly', structuredClone: 'readonly' } }
  }
);
