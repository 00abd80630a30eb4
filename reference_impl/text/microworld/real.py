"""Facts of the real world that the microworld contains: countries and landmarks."""

COUNTRIES = """
France|Paris|Europe|French|euro
Japan|Tokyo|Asia|Japanese|yen
Egypt|Cairo|Africa|Arabic|pound
Brazil|Brasilia|South America|Portuguese|real
Italy|Rome|Europe|Italian|euro
Canada|Ottawa|North America|English|dollar
India|New Delhi|Asia|Hindi|rupee
Kenya|Nairobi|Africa|Swahili|shilling
Spain|Madrid|Europe|Spanish|euro
Mexico|Mexico City|North America|Spanish|peso
China|Beijing|Asia|Chinese|yuan
Germany|Berlin|Europe|German|euro
Peru|Lima|South America|Spanish|sol
Greece|Athens|Europe|Greek|euro
Australia|Canberra|Oceania|English|dollar
Norway|Oslo|Europe|Norwegian|krone
Thailand|Bangkok|Asia|Thai|baht
Morocco|Rabat|Africa|Arabic|dirham
Poland|Warsaw|Europe|Polish|zloty
Argentina|Buenos Aires|South America|Spanish|peso
Turkey|Ankara|Asia|Turkish|lira
Sweden|Stockholm|Europe|Swedish|krona
Ghana|Accra|Africa|English|cedi
Vietnam|Hanoi|Asia|Vietnamese|dong
Portugal|Lisbon|Europe|Portuguese|euro
Chile|Santiago|South America|Spanish|peso
Russia|Moscow|Europe|Russian|rouble
Ireland|Dublin|Europe|English|euro
Cuba|Havana|North America|Spanish|peso
Hungary|Budapest|Europe|Hungarian|forint
Ethiopia|Addis Ababa|Africa|Amharic|birr
Indonesia|Jakarta|Asia|Indonesian|rupiah
Austria|Vienna|Europe|German|euro
Colombia|Bogota|South America|Spanish|peso
Finland|Helsinki|Europe|Finnish|euro
Nigeria|Abuja|Africa|English|naira
Iran|Tehran|Asia|Persian|rial
Denmark|Copenhagen|Europe|Danish|krone
Uruguay|Montevideo|South America|Spanish|peso
Mongolia|Ulaanbaatar|Asia|Mongolian|tugrik
Senegal|Dakar|Africa|French|franc
Iceland|Reykjavik|Europe|Icelandic|krona
Nepal|Kathmandu|Asia|Nepali|rupee
Romania|Bucharest|Europe|Romanian|leu
Jordan|Amman|Asia|Arabic|dinar
Fiji|Suva|Oceania|English|dollar
Bulgaria|Sofia|Europe|Bulgarian|lev
Tanzania|Dodoma|Africa|Swahili|shilling
Ecuador|Quito|South America|Spanish|dollar
Ukraine|Kyiv|Europe|Ukrainian|hryvnia
Iraq|Baghdad|Asia|Arabic|dinar
Tunisia|Tunis|Africa|Arabic|dinar
Belgium|Brussels|Europe|Dutch|euro
Cambodia|Phnom Penh|Asia|Khmer|riel
Croatia|Zagreb|Europe|Croatian|euro
Jamaica|Kingston|North America|English|dollar
Georgia|Tbilisi|Asia|Georgian|lari
Zambia|Lusaka|Africa|English|kwacha
Paraguay|Asuncion|South America|Spanish|guarani
Latvia|Riga|Europe|Latvian|euro
"""

LANDMARKS = """
the Eiffel Tower|Paris|France
the Colosseum|Rome|Italy
the Great Sphinx|Cairo|Egypt
the Acropolis|Athens|Greece
the Brandenburg Gate|Berlin|Germany
the Forbidden City|Beijing|China
the Red Square|Moscow|Russia
the Louvre|Paris|France
the Prado|Madrid|Spain
the Pantheon|Rome|Italy
the Red Fort|New Delhi|India
the Belem Tower|Lisbon|Portugal
the Grand Palace|Bangkok|Thailand
the Imperial Palace|Tokyo|Japan
the Peace Tower|Ottawa|Canada
the Casa Rosada|Buenos Aires|Argentina
the Little Mermaid|Copenhagen|Denmark
the Vasa Museum|Stockholm|Sweden
the Hofburg|Vienna|Austria
the Chain Bridge|Budapest|Hungary
the Spire|Dublin|Ireland
the Atomium|Brussels|Belgium
the Gold Museum|Bogota|Colombia
the Viking Ship Museum|Oslo|Norway
the Wilanow Palace|Warsaw|Poland
the Malecon|Havana|Cuba
"""
