import { describe, expect, it } from 'vitest';
import { readConfig, type VariableName, variables } from '../../src/config.ts';
import { files, ofKind, ownPods, read, readSettings, written } from './manifests.ts';

/** Node's own, whose value test/k8s/memory.test.ts checks. */
const OF_NODE = 'NODE_OPTIONS';
const names = new Set([OF_NODE, ...Object.keys(variables).flatMap((name) => [name, `${name}_FILE`])]);

describe('every file below k8s', () => {
  it.each(files)('%s is YAML without duplicate keys', (path) => {
    expect(read(path).length).toBeGreaterThan(0);
  });

  it('contains no secret', () => {
    expect(ofKind(written(), 'Secret')).toEqual([]);
  });

  it('names each object once', () => {
    const ids = written().map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`);
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  });
});

describe('the settings', () => {
  const settings = readSettings();

  it('are variables of the program', () => {
    expect([...settings.keys()].filter((name) => !names.has(name))).toEqual([]);
  });

  it('have values that the program accepts', () => {
    const known = [...settings.keys()] as VariableName[];
    expect(() => readConfig(known, Object.fromEntries(settings))).not.toThrow();
  });

  it('are no secrets', () => {
    const secrets = [...settings.keys()].filter((name) => 'secret' in variables[name as VariableName]);
    expect(secrets).toEqual([]);
  });
});

describe.each(ownPods(written()))('the pod of $of', ({ pod }) => {
  it('runs without root, with a read-only file system and without any privileges', () => {
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(pod.automountServiceAccountToken).toBe(false);
    for (const { securityContext } of pod.containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  });

  it('sets only variables of the program', () => {
    const given = pod.containers.flatMap(({ env }) => env.map(({ name }) => name));
    expect(given.filter((name) => !names.has(name))).toEqual([]);
  });

  it('has a memory limit', () => {
    for (const container of pod.containers) {
      expect(container).toMatchObject({
        resources: {
          requests: { cpu: expect.any(String), memory: expect.any(String) },
          limits: { memory: expect.any(String) },
        },
      });
    }
  });
});
