/** The people of the demo company; the first is its admin. */
export const demoPeople = [
  {
    id: 'ada',
    name: 'Ada Park',
    email: 'ada@northwind.example',
    timeZone: 'Europe/Paris',
    title: 'Data lead',
  },
  {
    id: 'mia',
    name: 'Mia Lopez',
    email: 'mia@northwind.example',
    timeZone: 'Europe/Madrid',
    title: 'Sales, EMEA',
  },
  {
    id: 'tom',
    name: 'Tom Becker',
    email: 'tom@northwind.example',
    timeZone: 'America/New_York',
    title: 'Sales, Americas',
  },
  {
    id: 'priya',
    name: 'Priya Nair',
    email: 'priya@northwind.example',
    timeZone: 'Asia/Kolkata',
    title: 'Revenue operations',
  },
] as const;

export const demoChannels = [
  { id: 'general', name: 'general' },
  { id: 'sales-pql', name: 'sales-pql' },
  { id: 'data-alerts', name: 'data-alerts' },
] as const;

/** Groups, as other platforms keep them. */
export const demoGroups = [
  { id: 'marketing', name: 'marketing', people: ['priya', 'mia'] },
  { id: 'sales', name: 'sales', people: ['mia', 'tom'] },
] as const;
