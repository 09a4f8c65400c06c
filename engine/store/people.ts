import type { Profile } from '../contracts/chat.ts';
import type { Role } from '../contracts/command.ts';
import type { Db, Sql } from '../contracts/db.ts';
import type { PersonRef, PlatformId } from '../contracts/refs.ts';

export interface Person {
  readonly id: number;
  readonly email: string | null;
  readonly name: string;
  readonly role: Role;
  readonly timeZone: string;
}

export interface PeopleOptions {
  readonly admins: readonly string[];
  readonly defaultRole: Role;
}

const fields = 'p.id, p.email, p.name, p.role, p.time_zone as "timeZone"';
/** What people may do who are no members, until an admin says otherwise. */
const rolesOfOthers: Readonly<Record<NonNullable<Profile['standing']>, Role>> = {
  guest: 'viewer',
  stranger: 'none',
};
const freshForMs = 60 * 60 * 1000;

/** Everybody we have met. One person has one row, and one identity on each platform; e-mail joins them. */
export class People {
  private readonly db: Db;
  private readonly options: PeopleOptions;

  constructor(db: Db, options: PeopleOptions) {
    this.db = db;
    this.options = options;
  }

  /** The person behind an identity when it was looked up within the last hour. */
  async known(ref: PersonRef, now: Date): Promise<Person | undefined> {
    const [person] = await this.db.query<Person>(
      `select ${fields} from identities i join people p on p.id = i.person_id
        where i.platform = $1 and i.platform_id = $2 and i.checked_at > $3`,
      [ref.platform, ref.id, new Date(now.getTime() - freshForMs)],
    );
    return person;
  }

  /** Writes down what a platform says of a person, and joins them to themselves elsewhere by e-mail. */
  async meet(ref: PersonRef, profile: Profile, now: Date): Promise<Person> {
    const email = profile.email?.trim().toLowerCase() ?? null;
    return this.db.transaction(async (sql) => {
      const person = await this.found(sql, ref, email);
      const id = person?.id ?? (await this.create(sql, email, profile));
      await sql.query(
        `insert into identities (platform, platform_id, person_id, checked_at) values ($1, $2, $3, $4)
         on conflict (platform, platform_id) do update set person_id = $3, checked_at = $4`,
        [ref.platform, ref.id, id, now],
      );
      const [updated] = await sql.query<Person>(
        `update people p set name = $2, time_zone = coalesce($3, time_zone), role = case when $4 then 'admin' else role end
          where id = $1 returning ${fields}`,
        [id, profile.name, profile.timeZone ?? null, email !== null && this.options.admins.includes(email)],
      );
      return updated as Person;
    });
  }

  private async found(sql: Sql, ref: PersonRef, email: string | null): Promise<Person | undefined> {
    if (email !== null) {
      const [byEmail] = await sql.query<Person>(`select ${fields} from people p where p.email = $1`, [email]);
      return byEmail;
    }
    const [byIdentity] = await sql.query<Person>(
      `select ${fields} from identities i join people p on p.id = i.person_id
        where i.platform = $1 and i.platform_id = $2`,
      [ref.platform, ref.id],
    );
    return byIdentity;
  }

  private async create(sql: Sql, email: string | null, profile: Profile): Promise<number> {
    const [row] = await sql.query<{ id: number }>(
      `insert into people (email, name, role, time_zone) values ($1, $2, $3, $4)
       on conflict (email) do update set name = excluded.name returning id`,
      [email, profile.name, this.roleToBegin(profile), profile.timeZone ?? 'UTC'],
    );
    return (row as { id: number }).id;
  }

  private roleToBegin({ standing }: Profile): Role {
    return standing === undefined ? this.options.defaultRole : rolesOfOthers[standing];
  }

  /** The identity of the same person on another platform; undefined when they were never seen there. */
  async elsewhere(ref: PersonRef, platform: PlatformId): Promise<PersonRef | undefined> {
    const [row] = await this.db.query<{ id: string }>(
      `select there.platform_id as id from identities here join identities there using (person_id)
        where here.platform = $1 and here.platform_id = $2 and there.platform = $3`,
      [ref.platform, ref.id, platform],
    );
    return row === undefined ? undefined : { kind: 'person', platform, id: row.id };
  }

  /** All places where this person is known. */
  async identities(personId: number): Promise<readonly PersonRef[]> {
    const rows = await this.db.query<{ platform: PlatformId; platform_id: string }>(
      'select platform, platform_id from identities where person_id = $1 order by platform',
      [personId],
    );
    return rows.map((row) => ({ kind: 'person', platform: row.platform, id: row.platform_id }));
  }

  /** Whoever may decide about holds by their role. */
  async deciding(roles: readonly Role[]): Promise<readonly Person[]> {
    return this.db.query<Person>(`select ${fields} from people p where role = any($1) order by name`, [
      roles,
    ]);
  }

  /** The person with this verified address; undefined when nobody was met with it. */
  async withEmail(email: string): Promise<Person | undefined> {
    const [person] = await this.db.query<Person>(`select ${fields} from people p where email = $1`, [
      email.trim().toLowerCase(),
    ]);
    return person;
  }

  /** Everybody whose name or address holds what was typed, most powerful first, with the places where they are known. */
  async matching(typed: string): Promise<readonly (Person & { readonly knownAs: readonly string[] })[]> {
    return this.db.query(
      `select ${fields},
              array(select i.platform || ':@' || i.platform_id from identities i where i.person_id = p.id order by 1) as "knownAs"
         from people p where strpos(lower(p.name || ' ' || coalesce(p.email, '')), lower($1)) > 0
        order by array_position(array['admin', 'approver', 'editor', 'viewer', 'none'], p.role), p.name`,
      [typed.trim()],
    );
  }

  /** Whether the configuration says that this person is an admin: then nobody can say otherwise. */
  isAdminByConfiguration({ email }: Pick<Person, 'email'>): boolean {
    return email !== null && this.options.admins.includes(email);
  }

  /** Gives a person a role in this transaction; `refused` says why not, and is asked once nobody else can change roles. */
  async giveRole(
    sql: Sql,
    id: number,
    role: Role,
  ): Promise<{ readonly before: Person; readonly refused?: 'configured' | 'last admin' }> {
    const admins = await sql.query<{ id: number }>(
      `select id from people where role = 'admin' or id = $1 order by id for update`,
      [id],
    );
    const [before] = (await sql.query<Person>(`select ${fields} from people p where id = $1`, [id])) as [
      Person,
    ];
    if (role !== 'admin' && this.isAdminByConfiguration(before)) {
      return { before, refused: 'configured' };
    }
    if (role !== 'admin' && before.role === 'admin' && admins.length === 1) {
      return { before, refused: 'last admin' };
    }
    await sql.query('update people set role = $2 where id = $1', [id, role]);
    return { before };
  }

  /** Writes a person down by an address alone, to have a role once a platform vouches for it. */
  async expect(email: string): Promise<Person> {
    const id = await this.create(this.db, email, { name: email });
    return (await this.byId(id)) as Person;
  }

  async byId(id: number): Promise<Person | undefined> {
    const [person] = await this.db.query<Person>(`select ${fields} from people p where id = $1`, [id]);
    return person;
  }
}
