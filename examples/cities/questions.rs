//! Ten questions, and the queries that answer them. Every answer comes from memory.

use std::collections::HashMap;

use comfy_table::{CellAlignment, Table as Grid, presets};
use discobase::{Database, Find, Record, Result, Table};

use crate::city::City;

/// Asks them all.
pub(crate) async fn ask(db: &Database) -> Result<()> {
    println!("\n1. Which are the largest cities?");
    show(&City::find(db).order_by(|c| c.population.desc()).limit(5).all().await?);

    println!("\n2. Which are the largest of Brazil?");
    let brazil = City::find(db).filter(|c| c.country.eq("BR")).order_by(|c| c.population.desc()).limit(5);
    explain(&brazil)?;
    show(&brazil.all().await?);

    println!("\n3. Which of 100,000 and more lie furthest north?");
    let large = City::find(db).filter(|c| c.population.ge(100_000)).order_by(|c| c.latitude.desc()).limit(5);
    explain(&large)?;
    show(&large.all().await?);

    println!("\n4. How many are there in some countries?");
    countries(db, ["IN", "US", "BR", "DE", "IS"]).await?;

    println!("\n5. Which names occur most often?");
    names(db).await?;

    println!("\n6. How many names begin with \"San \", and which of those cities are the largest?");
    let saints = City::find(db).filter(|c| c.name.starts_with("San "));
    explain(&saints)?;
    println!("   {} cities", saints.clone().count().await?);
    show(&saints.order_by(|c| c.population.desc()).limit(5).all().await?);

    println!("\n7. Which are the largest within half a degree of the equator?");
    let equator = City::find(db).filter(|c| c.latitude.between(-0.5, 0.5));
    explain(&equator)?;
    show(&equator.order_by(|c| c.population.desc()).limit(5).all().await?);

    println!("\n8. Which capitals are the smallest?");
    let capitals = City::find(db).filter(|c| c.feature.eq("PPLC"));
    show(&capitals.order_by(|c| c.population.asc()).limit(5).all().await?);

    println!("\n9. Which are the nearest to the summit of Mont Blanc?");
    nearest(db, 45.8326, 6.8652).await?;

    println!("\n10. What is the city with the id 2950159?");
    match City::get(db, 2_950_159).await? {
        Some(city) => println!("   {} ({}), {} inhabitants", city.name, city.country, city.population),
        None => println!("   It is not in this data."),
    }
    Ok(())
}

async fn countries(db: &Database, countries: [&str; 5]) -> Result<()> {
    let mut grid = grid(["country", "cities", "inhabitants of these"]);
    for country in countries {
        let found = City::find(db).filter(|c| c.country.eq(country)).all().await?;
        let people: u64 = found.iter().map(|city| u64::from(city.population)).sum();
        grid.add_row([country.to_owned(), found.len().to_string(), people.to_string()]);
    }
    print(grid, &[1, 2]);
    Ok(())
}

/// What the query language has no word for is a loop over its result.
async fn names(db: &Database) -> Result<()> {
    let mut countries: HashMap<String, Vec<String>> = HashMap::new();
    for city in City::find(db).all().await? {
        let City { name, country, .. } = city.into_inner();
        countries.entry(name).or_default().push(country);
    }
    let mut countries: Vec<_> = countries.into_iter().collect();
    countries.sort_unstable_by(|(a, here), (b, there)| there.len().cmp(&here.len()).then(a.cmp(b)));
    let mut grid = grid(["name", "cities", "in countries"]);
    for (name, mut countries) in countries.into_iter().take(5) {
        let cities = countries.len().to_string();
        countries.sort_unstable();
        countries.dedup();
        grid.add_row([name, cities, countries.join(" ")]);
    }
    print(grid, &[1]);
    Ok(())
}

/// A box of two degrees around the point holds the candidates; the sphere decides.
async fn nearest(db: &Database, latitude: f64, longitude: f64) -> Result<()> {
    let candidates = City::find(db).filter(|c| {
        let belt = c.latitude.between(latitude - 1.0, latitude + 1.0);
        belt & c.longitude.between(longitude - 1.0, longitude + 1.0)
    });
    let found = candidates.all().await?;
    let mut found: Vec<_> = found.iter().map(|city| (kilometres(city, latitude, longitude), city)).collect();
    found.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut grid = grid(["city", "country", "kilometres"]);
    for (distance, city) in found.into_iter().take(5) {
        grid.add_row([city.name.clone(), city.country.clone(), format!("{distance:.1}")]);
    }
    print(grid, &[2]);
    Ok(())
}

/// The distance on the sphere, by the haversine formula.
fn kilometres(city: &City, latitude: f64, longitude: f64) -> f64 {
    let half_sine = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let cosines = city.latitude.to_radians().cos() * latitude.to_radians().cos();
    let chord = half_sine(city.latitude - latitude) + cosines * half_sine(city.longitude - longitude);
    2.0 * 6371.0 * chord.sqrt().asin()
}

/// Says how the database finds the records.
fn explain(query: &Find<City>) -> Result<()> {
    println!("   ({})", query.clone().explain()?);
    Ok(())
}

fn show(cities: &[Record<City>]) {
    let mut grid = grid(["city", "country", "inhabitants", "latitude", "longitude"]);
    for city in cities {
        let City { name, country, population, latitude, longitude, .. } = &**city;
        let place = [format!("{latitude:.2}"), format!("{longitude:.2}")];
        grid.add_row([name.clone(), country.clone(), population.to_string()].into_iter().chain(place));
    }
    print(grid, &[2, 3, 4]);
}

fn grid<const N: usize>(header: [&str; N]) -> Grid {
    let mut grid = Grid::new();
    grid.load_style(presets::UTF8_FULL_CONDENSED).set_header(header);
    grid
}

/// Prints a table, its numbers to the right.
fn print(mut grid: Grid, numbers: &[usize]) {
    for &column in numbers {
        if let Some(column) = grid.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{grid}");
}
