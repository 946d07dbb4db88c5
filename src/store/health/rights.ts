import { grantStatements, type Part, parts } from '../grants.ts';
import { type Sql, statement } from '../sql.ts';

/** What the role of this session lacks of the grants of a part of the system. */
export interface Lacking {
  part: Part;
  /** As `grant` has it: "insert on corrections". */
  rights: string[];
}

export interface RightsState {
  role: string;
  /** By part, the one that it lacks least of first. */
  lacking: Lacking[];
}

interface Right {
  privilege: string;
  kind: 'table' | 'column' | 'sequence' | 'function' | 'schema';
  object: string;
  column: string;
}

const HELD = statement(
  'health.rights-of-role',
  `
  select case kind
      when 'table' then has_table_privilege(object, privilege)
      when 'column' then has_column_privilege(object, name, privilege)
      when 'sequence' then has_sequence_privilege(object, privilege)
      when 'function' then has_function_privilege(object, privilege)
      when 'schema' then has_schema_privilege(object, privilege)
    end as held
  from unnest($1::text[], $2::text[], $3::text[], $4::text[]) with ordinality as wanted(kind, object, name, privilege, place)
  order by place`,
);

const ROLE = statement('health.role-name', 'select current_user::text as role');

/**
 * Compares what the role of this session may do with the grants of each part (prisma/grants). Needs a schema that is
 * migrated. Throws what the database throws.
 */
export async function readRightsState(sql: Sql): Promise<RightsState> {
  const lacking: Lacking[] = [];
  for (const part of parts) {
    const rights = (await grantStatements(part, 'nobody')).flatMap(rightsIn);
    const held = await sql<{ held: boolean }>(HELD, [
      rights.map(({ kind }) => kind),
      rights.map(({ object }) => object),
      rights.map(({ column }) => column),
      rights.map(({ privilege }) => privilege),
    ]);
    const missing = rights.filter((_, place) => held[place]?.held !== true);
    lacking.push({ part, rights: missing.map(shown) });
  }
  const [row] = await sql<{ role: string }>(ROLE, []);
  if (row === undefined) throw new Error('the database gave no row');
  return { role: row.role, lacking: lacking.sort((a, b) => a.rights.length - b.rights.length) };
}

function shown({ privilege, kind, object, column }: Right): string {
  return `${privilege} on ${kind === 'column' ? `${object}.${column}` : object}`;
}

const GRANT = /^grant (.*?) on (?:(sequence|schema|function) )?(.*) to "nobody"$/s;
/** At the commas that are not in brackets. */
const COMMA = /,\s*(?![^(]*\))/;

/** The rights that a statement grants; none of one that revokes. */
function rightsIn(statement: string): Right[] {
  const [, privileges = '', kind = 'table', objects = ''] = GRANT.exec(statement.trim()) ?? [];
  return privileges.split(COMMA).flatMap((text) =>
    objects.split(COMMA).flatMap((name): Right[] => {
      const [, privilege = '', columns] = /^(\w+)(?: \((.*)\))?$/s.exec(text.trim()) ?? [];
      const object = name.trim();
      if (privilege === '' || object === '') return [];
      if (columns !== undefined)
        return columns
          .split(',')
          .map((column) => ({ privilege, kind: 'column', object, column: column.trim() }));
      return [{ privilege, kind: kind as Right['kind'], object, column: '' }];
    }),
  );
}
